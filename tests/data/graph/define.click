define($DEV eth0, $N 16);
define($ALIAS $DEV);
FromDevice($ALIAS) -> Queue(${N}) -> ToDevice(eth1);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Queue@2
Queue@2 :: Queue
ToDevice@3 :: ToDevice
  [0] <- Queue@2[0]
