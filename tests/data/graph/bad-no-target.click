FromDevice(eth0) -> ;
a -> -> b;
%errors
1:21 got `;`, expected an element
2:6 got `->`, expected an element
2:1 `a` is neither a declared element nor an element class
