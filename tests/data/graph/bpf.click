fw :: BPFFilter(PROGRAM firewall, ENGINE interpreter);
FromDevice(eth0) -> fw;
fw[0] -> Queue -> ToDevice(eth1);
fw[2] -> Discard;
lb :: BPFClassifier(PROGRAM balance, OUTPUTS 4);
FromDevice(eth1) -> lb;
lb[1] -> Discard;
%router
fw :: BPFFilter
  [0] -> [0]Queue@3
  [2] -> [0]Discard@5
FromDevice@2 :: FromDevice
  [0] -> [0]fw
Queue@3 :: Queue
ToDevice@4 :: ToDevice
  [0] <- Queue@3[0]
Discard@5 :: Discard
lb :: BPFClassifier
  [1] -> [0]Discard@8
FromDevice@7 :: FromDevice
  [0] -> [0]lb
Discard@8 :: Discard
