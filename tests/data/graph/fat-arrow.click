// `=>` numbers the ports
s :: Classifier(12/0806, 12/0800, -);
FromDevice(eth0) -> s => a :: Null, b :: Null, Null -> Discard;
FromDevice(eth1) -> t :: Tee(2) => [0, 1] j :: { input => x :: Null, y :: Null => output } => [0, 1] k :: { input[0, 1] -> output } -> Discard;
%router
s :: Classifier
  [0] -> [0]a
  [1] -> [0]b
  [2] -> [0]Null@5
FromDevice@2 :: FromDevice
  [0] -> [0]s
a :: Null
  [0] -> [0]Discard@6
b :: Null
  [0] -> [0]Discard@6
Null@5 :: Null
  [0] -> [0]Discard@6
Discard@6 :: Discard
FromDevice@7 :: FromDevice
  [0] -> [0]t
t :: Tee
  [0] -> [0]j/x
  [1] -> [0]j/y
j/x :: Null
  [0] -> [0]Discard@11
j/y :: Null
  [0] -> [0]Discard@11
Discard@11 :: Discard
