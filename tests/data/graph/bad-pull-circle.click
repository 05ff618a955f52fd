a :: Null -> b :: Null -> a;
b -> Unqueue -> Discard;
%errors
1:24 packets run in a circle through `b` and `a`, expected a `Queue` on the way
