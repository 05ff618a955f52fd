FromDevice(eth0) -> c :: Classifier(12/08zz, 12, -/00, 99999/00, 12/0806);
c -> Discard; c[1] -> Discard; c[2] -> Discard; c[3] -> Discard;
%errors
1:21 `c`: got 4 connected outputs, expected one for each of 5 patterns
1:37 `c`: got `12/08zz`, expected `offset/value` with at most 16 hexadecimal bytes
1:46 `c`: got `12`, expected `offset/value` with at most 16 hexadecimal bytes
1:50 `c`: got `-/00`, expected `offset/value` with at most 16 hexadecimal bytes
1:56 `c`: got `99999/00`, expected `offset/value` with at most 16 hexadecimal bytes
