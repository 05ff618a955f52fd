FromDevice(eth0) -> ARPResponder(10.0.0.1, 10.0.0.256 eth0, 10.0.0.2 eth9) -> Discard;
%errors
1:34 `ARPResponder@2`: got `10.0.0.1`, expected IP addresses and an Ethernet address
1:44 `ARPResponder@2`: got `10.0.0.256 eth0`, expected IP addresses and an Ethernet address
