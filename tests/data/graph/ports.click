sort :: Classifier(12/0806, 12/0800, -);
FromDevice(eth0) -> sort;
sort[2] -> Discard;
sort[0] -> Discard;
sort[1] -> [0]Discard;
%router
sort :: Classifier
  [0] -> [0]Discard@4
  [1] -> [0]Discard@5
  [2] -> [0]Discard@3
FromDevice@2 :: FromDevice
  [0] -> [0]sort
Discard@3 :: Discard
Discard@4 :: Discard
Discard@5 :: Discard
