a :: Counter b :: Discard
FromDevice(eth0) -> a -> b
%router
a :: Counter
  [0] -> [0]b
b :: Discard
FromDevice@3 :: FromDevice
  [0] -> [0]a
