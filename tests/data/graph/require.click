require(unibpf);
require(package "unibpf");
FromDevice(eth0) -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Discard@2
Discard@2 :: Discard
