FromDevise(eth0) -> countr() -> CheckIPHeder(14) -> Frobnicate() -> Discard;
%errors
1:1 unknown element class `FromDevise`, did you mean `FromDevice`?
1:21 unknown element class `countr`, did you mean `Counter`?
1:33 unknown element class `CheckIPHeder`, did you mean `CheckIPHeader`?
1:53 unknown element class `Frobnicate`
