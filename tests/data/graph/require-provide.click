require(package "userlevel", click);
require(int64, package unibpf);
provide(gate);
FromDevice(eth0) -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Discard@2
Discard@2 :: Discard
