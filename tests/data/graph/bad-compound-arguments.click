elementclass Gate { $n, KEY $k | input -> Queue($n) -> output }
FromDevice(eth0) -> Gate(1, 2) -> Discard;
%errors
2:21 `Gate@2`: missing argument `$k`
2:26 `Gate@2`: got 2 arguments, expected 2
