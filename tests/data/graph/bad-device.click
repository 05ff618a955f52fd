FromDevice(mgmt) -> Discard;
FromDevice(eth7) -> ToDevice(mgmt);
FromDevice(eth0) -> Discard;
FromDevice(eth0) -> Discard;
%errors
1:1 `FromDevice@1`: `mgmt` is the management NIC, which no graph may use
2:1 `FromDevice@3`: this guest has no NIC named `eth7`
2:21 `ToDevice@4`: `mgmt` is the management NIC, which no graph may use
4:1 `FromDevice@7`: `eth0` is read by `FromDevice@5` already
