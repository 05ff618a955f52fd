// A two-armed firewall: what comes in on `inside` goes out on `outside` if the program passes it, and the other way round
// unfiltered. ARP and ping for the inside address are answered by the guest itself.
require(package "unibpf");
define($INSIDE 10.0.0.1, $INSIDE_MAC 02:00:00:00:01:01);

control :: Control;
fw :: BPFFilter(PROGRAM firewall);
dropped :: Counter;

FromDevice(inside) -> sort :: Classifier(12/0806 20/0001, 12/0800, -);
sort[0] -> ARPResponder($INSIDE $INSIDE_MAC) -> to_inside :: Queue(512) -> ToDevice(inside);
sort[1] -> CheckIPHeader(OFFSET 14) -> fw;
sort[2] -> fw;
fw[0] -> to_outside :: Queue(512) -> ToDevice(outside);
fw[1] -> dropped -> Discard;

FromDevice(outside) -> to_inside;
