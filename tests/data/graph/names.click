r :: ARPResponder(gw gw:eth, gw:ip gw:ethernet);
AddressInfo(gw 10.0.0.1/8 52:54:00:00:00:01);
PortInfo(control 5683/udp);
AlignmentInfo(x 4 2);
FromDevice(eth0) -> c :: { AddressInfo(gw 10.9.0.1); input -> ARPResponder(gw gw:eth) -> output } -> r -> Discard;
%router
r :: ARPResponder
  [0] -> [0]Discard@7
AddressInfo@2 :: AddressInfo
PortInfo@3 :: PortInfo
AlignmentInfo@4 :: AlignmentInfo
FromDevice@5 :: FromDevice
  [0] -> [0]c/ARPResponder@4
c/AddressInfo@3 :: AddressInfo
c/ARPResponder@4 :: ARPResponder
  [0] -> [0]r
Discard@7 :: Discard
