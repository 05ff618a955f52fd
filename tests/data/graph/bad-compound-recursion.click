elementclass Loop { input -> Loop -> output }
FromDevice(eth0) -> Loop -> Discard;
%errors
1:30 `Loop` is neither a declared element nor an element class
