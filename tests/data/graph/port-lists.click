// lists of the same length are joined one with one
s :: Classifier(12/0806, 12/0800, -);
FromDevice(eth0), FromDevice(eth1) -> s;
s [0, 1] -> [1, 0] w :: { input [0, 1] -> [0, 1] output } [0, 1] -> d :: Discard;
s [2] -> d;
%router
s :: Classifier
  [0] -> [0]d
  [1] -> [0]d
  [2] -> [0]d
FromDevice@2 :: FromDevice
  [0] -> [0]s
FromDevice@3 :: FromDevice
  [0] -> [0]s
d :: Discard
