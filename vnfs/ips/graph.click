// Between `inside` and `outside`: both directions go through one program, and leave by the other side.
control :: Control;
ips :: BPFFilter(PROGRAM ips);
dropped :: Counter;

FromDevice(inside) -> Paint(1) -> ips;
FromDevice(outside) -> Paint(2) -> ips;
ips[0] -> way :: CheckPaint(1);
way[0] -> Queue(512) -> ToDevice(outside);
way[1] -> Queue(512) -> ToDevice(inside);
ips[1] -> dropped -> Discard;
