Idle -> IPFilter(allow tcp dst prot 80) -> Discard; Idle -> IPRewriter(pattern 1.0.0.1 0-5 - - 0 0) -> Discard; Idle -> r :: RadixIPLookup(10.0.0.0/8 3) -> Discard; Idle -> c :: IPClassifier(src host, tcp or, (tcp) udp ?, ip[5:3] = 1, ((((((((((((((((tcp)))))))))))))))), tcp port http or 443 or ssh) -> Discard; Idle -> RED(1,2,0.1) -> Discard; Idle -> ICMPError(1.1.1.1, echo) -> Discard; Idle -> IPFilter(allow src net 10.0.0.0/33, 7 tcp) -> Discard
%errors
1:18 `IPFilter@2`: got `prot`, expected a port
1:72 `IPRewriter@5`: got `pattern 1.0.0.1 0-5 - - 0 0`, expected a pattern such as `pattern 1.0.0.1 1024-65535 - - 0 1`
1:140 `r`: got output 3, expected less than 1
1:174 `c`: got 1 connected outputs, expected one for each of 6 patterns
1:192 `c`: pattern ends, expected a value
1:202 `c`: pattern ends, expected a pattern
1:210 `c`: pattern ends, expected a pattern
1:223 `c`: got `ip[5:3]`, expected `[offset]` or `[offset:length]` with a length of 1, 2 or 4
1:236 `c`: got `(`, expected less deeply nested parentheses
1:355 `ICMPError@17`: got TYPE `echo`, expected a number or a word such as `unreachable`
1:436 `IPFilter@20`: got `7`, expected `allow`, `deny`, `drop` or an output below 1
1:409 `IPFilter@20`: got `10.0.0.0/33`, expected an IP address such as `10.0.0.1`
