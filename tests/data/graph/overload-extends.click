// `...` stands for what the class meant before; ports choose where arguments do not
elementclass Null { $x | input -> Print($x) -> output || ... }
elementclass Two { input -> output || input -> output; input [1] -> [1] output }
FromDevice(eth0) -> Null -> Null(label) -> Two -> t :: Two -> Discard;
FromDevice(eth1) -> [1] t [1] -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Null@2
Null@2 :: Null
  [0] -> [0]Null@3/Print@3
Null@3/Print@3 :: Print
  [0] -> [0]Discard@6
Discard@6 :: Discard
FromDevice@7 :: FromDevice
  [0] -> [0]Discard@8
Discard@8 :: Discard
