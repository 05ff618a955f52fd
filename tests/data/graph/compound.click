elementclass Gate {
  $capacity |
  input -> c :: Counter -> Queue($capacity) -> output;
}
FromDevice(eth0) -> g :: Gate(4) -> ToDevice(eth1);
FromDevice(eth1) -> Gate(5) -> ToDevice(eth0);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]g/c
g/c :: Counter
  [0] -> [0]g/Queue@4
g/Queue@4 :: Queue
ToDevice@3 :: ToDevice
  [0] <- g/Queue@4[0]
FromDevice@4 :: FromDevice
  [0] -> [0]Gate@5/c
Gate@5/c :: Counter
  [0] -> [0]Gate@5/Queue@4
Gate@5/Queue@4 :: Queue
ToDevice@6 :: ToDevice
  [0] <- Gate@5/Queue@4[0]
