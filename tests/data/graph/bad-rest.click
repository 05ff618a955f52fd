elementclass A { __REST__ $rest | input -> output }
Idle -> A(1, 2) -> Idle;
%errors
2:9 `A@2`: missing argument `$rest`
2:11 `A@2`: got 2 arguments, expected 1
