// Between `outside` and `servers`: both directions go through one program. What it passed leaves by the other side; what it
// answers itself (a cookie to a client, an acknowledgement to a server) goes back to where the packet came from.
control :: Control;
guard :: BPFRewriter(PROGRAM ddos);
dropped :: Counter;

FromDevice(outside) -> Paint(1) -> guard;
FromDevice(servers) -> Paint(2) -> guard;
guard[0] -> passed :: CheckPaint(1);
guard[1] -> dropped -> Discard;
guard[2] -> answered :: CheckPaint(1);
passed[0] -> to_servers :: Queue(512) -> ToDevice(servers);
passed[1] -> to_outside :: Queue(512) -> ToDevice(outside);
answered[0] -> to_outside;
answered[1] -> to_servers;
