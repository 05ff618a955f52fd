// A switch with three ports, which the program knows by the numbers of their NICs: 0 is the management NIC. An output is 16 +
// the set of ports, a bit each (2 for port 1): here the packet is copied to each port of the set.
control :: Control;
snoop :: BPFFilter(PROGRAM multicast);
dropped :: Counter;

FromDevice(port1) -> snoop;
FromDevice(port2) -> snoop;
FromDevice(port3) -> snoop;
snoop[0] -> dropped -> Discard; // nothing leaves here
snoop[1] -> dropped;
snoop[255] -> dropped; // a program that redirects by number needs an element with all outputs

to1 :: Queue(256) -> ToDevice(port1);
to2 :: Queue(256) -> ToDevice(port2);
to3 :: Queue(256) -> ToDevice(port3);

snoop[18] -> to1;
snoop[20] -> to2;
snoop[24] -> to3;

snoop[22] -> both12 :: Tee(2);
both12[0] -> to1;
both12[1] -> to2;

snoop[26] -> both13 :: Tee(2);
both13[0] -> to1;
both13[1] -> to3;

snoop[28] -> both23 :: Tee(2);
both23[0] -> to2;
both23[1] -> to3;
