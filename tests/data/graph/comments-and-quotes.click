/* block
   comment */ FromDevice(eth0) // line
  -> p :: Print("in, (bracket", /* inside, */ MAXLENGTH 4) -> Discard;
FromDevice('eth1') -> q::Print("quote \" // no comment") -> Discard
%router
FromDevice@1 :: FromDevice
  [0] -> [0]p
p :: Print
  [0] -> [0]Discard@3
Discard@3 :: Discard
FromDevice@4 :: FromDevice
  [0] -> [0]q
q :: Print
  [0] -> [0]Discard@6
Discard@6 :: Discard
