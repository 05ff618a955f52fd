// what the text does not define belongs to the element
FromDevice(eth0) -> Print('$a' $b ${c}) -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Print@2
Print@2 :: Print
  [0] -> [0]Discard@3
Discard@3 :: Discard
