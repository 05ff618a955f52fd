a :: BPFFilter;
b :: BPFFilter(PROGRAM x, ENGINE turbo);
c :: BPFClassifier(PROGRAM y, OUTPUTS 0);
d :: BPFRewriter(PROGRAM z, ISOLATION mpk);
Idle -> a -> Discard;
Idle -> b -> Discard;
Idle -> c -> Discard;
Idle -> d -> Discard;
%errors
1:1 `a`: missing argument `PROGRAM`
2:1 `b`: got engine `turbo`, expected `auto`, `interpreter` or `jit`
3:1 `c`: got OUTPUTS 0, expected 1 to 256
4:1 `d`: got isolation `mpk`, expected `auto`, `none` or `pku`
