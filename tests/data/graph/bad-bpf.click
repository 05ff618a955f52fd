a :: BPFFilter;
b :: BPFFilter(PROGRAM x, ENGINE turbo);
c :: BPFClassifier(PROGRAM y, OUTPUTS 0);
Idle -> a -> Discard;
Idle -> b -> Discard;
Idle -> c -> Discard;
%errors
1:1 `a`: missing argument `PROGRAM`
2:1 `b`: got engine `turbo`, expected `auto`, `interpreter` or `jit`
3:1 `c`: got OUTPUTS 0, expected 1 to 256
