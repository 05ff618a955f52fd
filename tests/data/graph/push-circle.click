FromDevice(eth0) -> a :: Null -> b :: Counter -> Classifier(-) -> a;
FromDevice(eth1) -> c :: CheckPaint(1) -> Queue -> Unqueue -> c;
c[1] -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]a
a :: Null
  [0] -> [0]b
b :: Counter
  [0] -> [0]Classifier@4
Classifier@4 :: Classifier
  [0] -> [0]Detour@@1
FromDevice@5 :: FromDevice
  [0] -> [0]c
c :: CheckPaint
  [0] -> [0]Queue@7
  [1] -> [0]Discard@9
Queue@7 :: Queue
Unqueue@8 :: Unqueue
  [0] -> [0]c
  [0] <- Queue@7[0]
Discard@9 :: Discard
Detour@@1 :: Detour
  [0] -> [0]a
