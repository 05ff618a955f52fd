// names declared together, used before and after
a -> b;
a, c :: Counter;
FromDevice(eth0) -> a;
b :: Discard;
FromDevice(eth1) -> c -> b;
%router
a :: Counter
  [0] -> [0]b
c :: Counter
  [0] -> [0]b
FromDevice@5 :: FromDevice
  [0] -> [0]a
b :: Discard
FromDevice@7 :: FromDevice
  [0] -> [0]c
