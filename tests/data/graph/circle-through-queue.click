FromDevice(eth0) -> c :: CheckPaint(1) -> Discard;
c[1] -> Paint(1) -> Queue -> Unqueue -> c;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]c
c :: CheckPaint
  [0] -> [0]Discard@3
  [1] -> [0]Paint@4
Discard@3 :: Discard
Paint@4 :: Paint
  [0] -> [0]Queue@5
Queue@5 :: Queue
Unqueue@6 :: Unqueue
  [0] -> [0]c
  [0] <- Queue@5[0]
