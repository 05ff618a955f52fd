elementclass Gate { input -> Null -> output
  || $n | input -> Queue($n) -> output
  || $n, KEY $k | input -> Queue($n) -> Print($k) -> output
  || $n, __REST__ $more | input -> Queue($n) -> Print($more) -> output }
FromDevice(eth0) -> a :: Gate -> Discard;
FromDevice(eth1) -> b :: Gate(7) -> c :: Unqueue -> d :: Gate(7, KEY x) -> e :: Unqueue -> f :: Gate(8, y, MAXLENGTH 3) -> ToDevice(eth0);
%router
FromDevice@1 :: FromDevice
  [0] -> [0]a/Null@3
a/Null@3 :: Null
  [0] -> [0]Discard@3
Discard@3 :: Discard
FromDevice@4 :: FromDevice
  [0] -> [0]b/Queue@3
b/Queue@3 :: Queue
c :: Unqueue
  [0] -> [0]d/Queue@3
  [0] <- b/Queue@3[0]
d/Queue@3 :: Queue
d/Print@4 :: Print
  [0] <- d/Queue@3[0]
e :: Unqueue
  [0] -> [0]f/Queue@3
  [0] <- d/Print@4[0]
f/Queue@3 :: Queue
f/Print@4 :: Print
  [0] <- f/Queue@3[0]
ToDevice@10 :: ToDevice
  [0] <- f/Print@4[0]
