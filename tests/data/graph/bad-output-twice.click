f :: FromDevice(eth0);
f -> Discard;
f -> Discard;
q :: Queue;
Idle -> q;
t :: ToDevice(eth0);
q -> t;
q -> t;
%errors
3:3 push output 0 of `f` is connected twice
8:3 pull input 0 of `t` is connected twice
