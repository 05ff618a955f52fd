elementclass A { input -> bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb :: Null -> output }
FromDevice(eth0) -> cccccccccccccccccccccccccccccc :: A -> Discard;
%errors
1:27 `cccccccccccccccccccccccccccccc/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb...` is longer than 63 bytes
