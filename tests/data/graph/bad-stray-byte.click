FromDevice(eth0) =! Discard;
# shell comment
%errors
1:18 got `=`, expected a statement
2:1 got `#`, expected a statement
