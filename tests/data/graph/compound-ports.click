elementclass Sorter {
  input -> s :: Classifier(12/0806, -);
  s[0] -> [1]output;
  s[1] -> output;
  input[1] -> output;
}
s :: Sorter;
FromDevice(eth0) -> s -> d :: Discard;
FromDevice(eth1) -> [1]s;
s[1] -> Discard;
%router
s/s :: Classifier
  [0] -> [0]Discard@5
  [1] -> [0]d
FromDevice@2 :: FromDevice
  [0] -> [0]s/s
d :: Discard
FromDevice@4 :: FromDevice
  [0] -> [0]d
Discard@5 :: Discard
