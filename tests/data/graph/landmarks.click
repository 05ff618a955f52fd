#!/usr/bin/click -f
# 1 "router.in"
#line 4 "other.in"
FromDevice(eth0)
# 9
  -> Discard;
%router
FromDevice@1 :: FromDevice
  [0] -> [0]Discard@2
Discard@2 :: Discard
