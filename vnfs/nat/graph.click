// Hosts of 10.0.0.0/16 on `inside` reach `outside` by the public address. The program says by addresses which way a packet goes;
// what it passed leaves by its new destination. ARP and ping for the inside address, ARP for the public one are answered.
define($INSIDE 10.0.0.1, $INSIDE_MAC 02:00:00:00:01:01, $PUBLIC 192.0.2.1, $OUTSIDE_MAC 02:00:00:00:02:01);

control :: Control;
translator :: BPFRewriter(PROGRAM nat);
dropped :: Counter;

FromDevice(inside) -> in :: Classifier(12/0806 20/0001, -);
in[0] -> ARPResponder($INSIDE $INSIDE_MAC) -> to_inside :: Queue(512) -> ToDevice(inside);
in[1] -> translator;
FromDevice(outside) -> out :: Classifier(12/0806 20/0001, -);
out[0] -> ARPResponder($PUBLIC $OUTSIDE_MAC) -> to_outside :: Queue(512) -> ToDevice(outside);
out[1] -> translator;

translator[0] -> way :: Classifier(12/0800 30/0a00, 12/8100 16/0800 34/0a00, -);
translator[1] -> dropped -> Discard;
way[0] -> to_inside;
way[1] -> to_inside;
way[2] -> to_outside;
