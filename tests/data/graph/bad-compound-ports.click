elementclass Gate { input -> Counter -> [1]output }
FromDevice(eth0) -> [2]g :: Gate -> Discard;
%errors
1:38 port 1 of compound `g` leads nowhere
2:18 port 2 of compound `g` leads nowhere
1:27 nothing leads to port 0 of compound `g`
2:34 nothing leads to port 0 of compound `g`
