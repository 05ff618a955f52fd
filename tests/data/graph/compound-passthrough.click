elementclass Wire { input -> output }
FromDevice(eth0) -> Wire -> w :: Wire -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Discard@4
Discard@4 :: Discard
