elementclass Gate { input -> Null -> output || $n | input -> Queue($n) -> output }
elementclass Other { ... || input -> output }
elementclass Later { $a | input -> output || ... }
FromDevice(eth0) -> Gate(1, 2) -> Discard;
%errors
2:22 got `...`, expected a statement
3:43 `...` continues no class: there is no `Later` before this one
