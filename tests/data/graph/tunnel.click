connectiontunnel in -> out;
FromDevice(eth0) -> in;
out -> Discard;
FromDevice(eth1) -> [1] in;
out [1] -> Discard;
%router
FromDevice@3 :: FromDevice
  [0] -> [0]Discard@4
Discard@4 :: Discard
FromDevice@5 :: FromDevice
  [0] -> [0]Discard@6
Discard@6 :: Discard
