FromDevice(eth0) -> Discard;
}
%errors
2:1 got `}`, expected a statement
