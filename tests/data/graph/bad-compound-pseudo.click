elementclass A { x :: Null; input -> x -> input; output -> x }
FromDevice(eth0) -> A -> Discard;
%errors
1:40 `input` of a compound has no inputs
1:57 `output` of a compound has no outputs
