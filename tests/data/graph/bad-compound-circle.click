elementclass Wire { input -> output }
a :: Wire -> b :: Wire -> a;
FromDevice(eth0) -> a;
%errors
3:18 the connections of compounds run in a circle
