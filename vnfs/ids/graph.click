// Between `inside` and `outside`: both directions go through one program, and leave by the other side.
control :: Control;
ids :: BPFFilter(PROGRAM ids);
dropped :: Counter;

FromDevice(inside) -> Paint(1) -> ids;
FromDevice(outside) -> Paint(2) -> ids;
ids[0] -> way :: CheckPaint(1);
way[0] -> Queue(512) -> ToDevice(outside);
way[1] -> Queue(512) -> ToDevice(inside);
ids[1] -> dropped -> Discard;
