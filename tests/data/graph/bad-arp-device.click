FromDevice(eth0) -> ARPResponder(10.0.0.2 eth9) -> Discard;
%errors
1:21 `ARPResponder@2`: this guest has no NIC named `eth9`
