// Between an IPv6 network on `inside` and an IPv4 network on `outside`: what the program translated leaves by its new family,
// and so do its own errors, which go back. ARP for the pool's address is answered; IPv6 neighbours are told by configuration.
define($POOL 192.0.2.1, $OUTSIDE_MAC 02:00:00:00:02:01);

control :: Control;
translator :: BPFRewriter(PROGRAM nat64);
dropped :: Counter;

FromDevice(inside) -> translator;
FromDevice(outside) -> sort :: Classifier(12/0806 20/0001, -);
sort[0] -> ARPResponder($POOL $OUTSIDE_MAC) -> to_outside :: Queue(512) -> ToDevice(outside);
sort[1] -> translator;

translator[0] -> family :: Classifier(12/86dd, 12/8100 16/86dd, -);
translator[2] -> family;
translator[1] -> dropped -> Discard;
family[0] -> to_inside :: Queue(512) -> ToDevice(inside);
family[1] -> to_inside;
family[2] -> to_outside;
