FromDevice(eth0) -> q :: Queue(8) -> c :: Counter -> n :: Null -> ToDevice(eth1);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]q
q :: Queue
c :: Counter
  [0] <- q[0]
n :: Null
  [0] <- c[0]
ToDevice@5 :: ToDevice
  [0] <- n[0]
