FromDevice(eth0) -> Queue(${N}) -> Discard;
%errors
1:27 `Queue@2`: argument `CAPACITY`: got `${N}`, expected a number from 0 to 4294967295
