FromDevice(eth0) -> a :: Null -> b :: Counter -> Classifier(-) -> a;
FromDevice(eth1) -> c :: CheckPaint(1) -> Queue -> Unqueue -> c;
c[1] -> Discard;
%errors
1:64 packets run in a circle through `Classifier@4` and `a`, expected a `Queue` on the way
