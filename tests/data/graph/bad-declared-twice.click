a :: Discard;
FromDevice(eth0) -> a;
a :: Discard;
%errors
3:1 element `a` is declared twice
