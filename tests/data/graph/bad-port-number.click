i :: Idle;
i[256] -> Discard;
i[99999999999999999999] -> Discard;
i[x] -> Discard;
i[0 -> Discard;
%errors
2:3 got port 256, expected less than 256
3:3 got port 99999999999999999999, expected less than 256
4:3 got `x`, expected a port number
5:5 got `->`, expected `]`
