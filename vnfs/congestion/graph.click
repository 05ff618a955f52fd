// From `inside` to `outside` through a queue, before which packets are told of congestion. The way back is free.
control :: Control;
aqm :: BPFRewriter(PROGRAM congestion);
dropped :: Counter;

FromDevice(inside) -> aqm;
aqm[0] -> to_outside :: Queue(512) -> ToDevice(outside);
aqm[1] -> dropped -> Discard;

FromDevice(outside) -> Queue(512) -> ToDevice(inside);
