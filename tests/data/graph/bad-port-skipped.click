s :: Classifier(-, -, -);
FromDevice(eth0) -> s;
s[0] -> Discard;
s[2] -> Discard;
%errors
1:1 output 1 of `s` is not connected
