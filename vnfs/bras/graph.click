// Hosts dial in on `access`; what comes out of their sessions goes to the core through a GRE tunnel or, while no route leads
// into one, as it is: `unibpf push vnfs/tunnel/program.c --program tunnel-through -D FOREIGN=XDP_PASS`. Answers and packets for hosts are sent by the program.
define($CORE 192.0.2.1, $CORE_MAC 02:00:00:00:00:0c);

control :: Control;
bras :: BPFRewriter(PROGRAM bras);
dropped :: Counter;

FromDevice(access) -> bras;
FromDevice(core) -> sort :: Classifier(12/0806 20/0001, -);
sort[0] -> ARPResponder($CORE $CORE_MAC) -> to_core :: Queue(512) -> ToDevice(core);
sort[1] -> out_of_gre :: BPFRewriter(PROGRAM tunnel-through);
out_of_gre[0] -> bras;
out_of_gre[1] -> dropped;
out_of_gre[2] -> dropped;

bras[0] -> into_gre :: BPFRewriter(PROGRAM tunnel-through);
into_gre[0] -> to_core; // no route leads into a tunnel
into_gre[1] -> dropped;
into_gre[2] -> to_core;

bras[1] -> dropped -> Discard;
bras[2] -> Queue(512) -> ToDevice(access);
