// `->` joins everything left with everything right; a list before `::` is declared by it
t :: Tee(2);
FromDevice(eth0), FromDevice(eth1) -> t;
t[0, 1] -> a, b :: Counter -> c :: Discard;
%errors
4:9 push output 0 of `t` is connected twice
4:9 push output 1 of `t` is connected twice
