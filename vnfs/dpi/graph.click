// Looks into what goes both ways; a policy or a name may drop it, or send it to output 3: here a NIC for what is held apart.
control :: Control;
dpi :: BPFFilter(PROGRAM dpi);
dropped :: Counter;

FromDevice(inside) -> from_inside :: Paint(1) -> dpi;
FromDevice(outside) -> from_outside :: Paint(2) -> dpi;

dpi[0] -> way :: CheckPaint(1);
way[0] -> Queue(256) -> ToDevice(outside);
way[1] -> Queue(256) -> ToDevice(inside);
dpi[1] -> dropped -> Discard;
dpi[255] -> dropped; // a program that redirects by number needs an element with all outputs
dpi[3] -> Queue(256) -> ToDevice(apart);
