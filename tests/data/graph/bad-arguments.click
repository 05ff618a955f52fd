FromDevice -> Queue(many) -> Counter(3) -> Print(x, MAXLENGTH -x, COLOR red) -> ToDevice(eth0, eth1);
%errors
1:1 `FromDevice@1`: missing argument `DEVNAME`
1:21 `Queue@2`: argument `CAPACITY`: got `many`, expected a number from 0 to 4294967295
1:38 `Counter@3`: unknown argument `3`
1:53 `Print@4`: argument `MAXLENGTH`: got `-x`, expected a number from -2147483648 to 2147483647
1:67 `Print@4`: unknown argument `COLOR red`
1:96 `ToDevice@5`: unknown argument `eth1`
