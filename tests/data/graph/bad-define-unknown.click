FromDevice($DEV) -> Queue(${N}) -> Discard;
%errors
1:12 unknown variable `$DEV`
1:27 unknown variable `$N`
