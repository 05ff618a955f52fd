FromDevice(eth0) -> a, b :: Counter -> Discard;
c, d :: Null -> Discard;
%errors
1:18 `->` cannot lead to a list of names
2:14 `->` cannot start at a list of names
