FromDevice(eth0) -> u :: Unqueue -> Discard;
Idle -> q :: Queue -> Counter -> Classifier(-) -> Discard;
%errors
1:18 output 0 of `FromDevice@1` pushes but input 0 of `u` pulls, expected a `Queue` between them
2:31 output 0 of `Counter@6` is pulled but input 0 of `Classifier@7` is pushed to, expected an `Unqueue` between them
