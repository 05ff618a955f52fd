// A wire between `inside` and `outside` on which every packet is counted, both ways by one program.
control :: Control;
monitor :: BPFFilter(PROGRAM monitoring);

FromDevice(inside) -> Paint(1) -> monitor;
FromDevice(outside) -> Paint(2) -> monitor;

monitor[0] -> way :: CheckPaint(1);
way[0] -> Queue(512) -> ToDevice(outside);
way[1] -> Queue(512) -> ToDevice(inside);
