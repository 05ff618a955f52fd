FromDevice(eth0) -> { input -> Counter -> output } -> g :: { input -> Null -> output } -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]@compound@2/Counter@3
@compound@2/Counter@3 :: Counter
  [0] -> [0]g/Null@3
g/Null@3 :: Null
  [0] -> [0]Discard@4
Discard@4 :: Discard
