define($N 3);
elementclass Outer {
  $a, KEY $b |
  elementclass Inner { $c | input -> Queue($c) -> output }
  input -> x :: Inner($a) -> Unqueue -> y :: Inner($b) -> Unqueue -> z :: Inner($N) -> output;
}
FromDevice(eth0) -> o :: Outer(1, KEY 2) -> ToDevice(eth1);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]o/x/Queue@3
o/x/Queue@3 :: Queue
o/Unqueue@4 :: Unqueue
  [0] -> [0]o/y/Queue@3
  [0] <- o/x/Queue@3[0]
o/y/Queue@3 :: Queue
o/Unqueue@6 :: Unqueue
  [0] -> [0]o/z/Queue@3
  [0] <- o/y/Queue@3[0]
o/z/Queue@3 :: Queue
ToDevice@3 :: ToDevice
  [0] <- o/z/Queue@3[0]
