FromDevice(eth0 -> Discard;
%errors
1:11 `(` is never closed
