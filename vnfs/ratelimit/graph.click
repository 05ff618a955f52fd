// Limits what each source on `inside` may send to `outside`; the way back is free.
control :: Control;
limit :: BPFFilter(PROGRAM ratelimit);
dropped :: Counter;

FromDevice(inside) -> limit;
limit[0] -> to_outside :: Queue(512) -> ToDevice(outside);
limit[1] -> dropped -> Discard;

FromDevice(outside) -> to_inside :: Queue(512) -> ToDevice(inside);
