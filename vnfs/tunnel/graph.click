// What goes into a tunnel is sent by the program and leaves on `outside`, what comes out of one passes and leaves on `inside`.
// ARP for the outer address is answered; IPv6 neighbours are told by configuration.
define($LOCAL 192.0.2.1, $OUTSIDE_MAC 02:00:00:00:00:01);

control :: Control;
tunnel :: BPFRewriter(PROGRAM tunnel);
dropped :: Counter;

FromDevice(inside) -> tunnel;
FromDevice(outside) -> sort :: Classifier(12/0806 20/0001, -);
sort[0] -> ARPResponder($LOCAL $OUTSIDE_MAC) -> to_outside :: Queue(512) -> ToDevice(outside);
sort[1] -> tunnel;

tunnel[0] -> Queue(512) -> ToDevice(inside);
tunnel[1] -> dropped -> Discard;
tunnel[2] -> to_outside;
