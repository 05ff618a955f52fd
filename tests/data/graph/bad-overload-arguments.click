elementclass Gate { input -> Null -> output || $n | input -> Queue($n) -> output }
elementclass All { $a, __REST__ $rest | input -> output }
FromDevice(eth0) -> Gate(1, 2) -> All -> Discard;
%errors
3:26 `Gate@2`: none of 2 overloads takes 2 arguments
3:35 `All@3`: missing argument `$a`
