c :: Counter;
s :: Classifier(-);
FromDevice(eth0) -> s -> Discard;
%errors
1:1 input 0 of `c` is not connected
1:1 output 0 of `c` is not connected
