elementclass Gate { $n |
  input -> Queue($n) -> output
}
FromDevice(eth0) -> Gate(lots) -> Discard;
%errors
2:18 `Gate@2/Queue@3`: argument `CAPACITY`: got `lots`, expected a number from 0 to 4294967295
