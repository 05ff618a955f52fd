connectiontunnel in -> out;
in -> Discard;
FromDevice(eth0) -> out;
%errors
2:4 `in` has no outputs: it is the entrance of a tunnel
3:18 `out` has no inputs: it is the exit of a tunnel
