FromDevice(eth0) -> c :: Counter -> ToDevice(eth1);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]c
c :: Counter
  [0] -> [0]ToDevice@3
ToDevice@3 :: ToDevice
