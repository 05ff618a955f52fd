// Clients on `outside`, backends on `servers`: they have the service's address themselves (on a loopback device that answers no
// ARP) and answer through the balancer, which changes nothing of that. ARP for the service's address is answered here.
define($SERVICE 192.0.2.10, $OUTSIDE_MAC 02:00:00:00:02:01);

control :: Control;
balancer :: BPFRewriter(PROGRAM loadbalancer);
dropped :: Counter;

FromDevice(outside) -> sort :: Classifier(12/0806 20/0001 38/c000020a, 12/0806, -);
sort[0] -> ARPResponder($SERVICE $OUTSIDE_MAC) -> to_outside :: Queue(512) -> ToDevice(outside);
sort[1] -> to_servers :: Queue(512) -> ToDevice(servers);
sort[2] -> balancer;
balancer[0] -> to_servers;
balancer[1] -> dropped -> Discard;

FromDevice(servers) -> to_outside;
