[0]Idle;
d :: Discard;
FromDevice(eth0) -> d;
d[1];
%errors
1:1 an input port needs `->` before it
4:2 an output port needs `->` after it
