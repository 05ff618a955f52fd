FromDevice(eth0) -> [1]c :: Counter -> Discard;
Idle -> c;
c[1] -> Discard;
%errors
1:18 `c` has no input 1: a Counter has 1
3:6 `c` has no output 1: a Counter has 1
