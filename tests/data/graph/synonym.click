elementclass Sink Discard;
elementclass Counter { input -> Counter -> Counter -> output }
FromDevice(eth0) -> Counter -> Sink;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Counter@2/Counter@3
Counter@2/Counter@3 :: Counter
  [0] -> [0]Counter@2/Counter@4
Counter@2/Counter@4 :: Counter
  [0] -> [0]Sink@3
Sink@3 :: Discard
