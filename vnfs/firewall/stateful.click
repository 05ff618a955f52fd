// The stateful firewall between `inside` and `outside`: both directions go through one program, since it has to see answers; what
// it passed leaves by the other side. ARP passes it, so hosts and routers on both sides see each other as if it were not there.
control :: Control;
fw :: BPFFilter(PROGRAM firewall);
dropped :: Counter;

FromDevice(inside) -> Paint(1) -> fw;
FromDevice(outside) -> Paint(2) -> fw;
fw[0] -> way :: CheckPaint(1);
way[0] -> Queue(512) -> ToDevice(outside);
way[1] -> Queue(512) -> ToDevice(inside);
fw[1] -> dropped -> Discard;
