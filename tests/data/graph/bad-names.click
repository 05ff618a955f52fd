AddressInfo(gw 10.0.0.300, lonely);
PortInfo(control, udp x);
FromDevice(eth0) -> ARPResponder(far 52:54:00:00:00:01) -> Discard;
c :: { AddressInfo(far 10.9.0.1); Idle -> ARPResponder(far 52:54:00:00:00:01) -> Idle };
%errors
1:13 `AddressInfo@1`: got `10.0.0.300`, expected an address
1:28 `AddressInfo@1`: got `lonely`, expected a name and addresses
2:10 `PortInfo@2`: got `control`, expected a name and a port
2:19 `PortInfo@2`: got `udp x`, expected a name and a port
3:34 `ARPResponder@4`: got `far 52:54:00:00:00:01`, expected IP addresses and an Ethernet address
