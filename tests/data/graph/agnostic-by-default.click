// nothing says push or pull: push it is
i :: Idle -> n :: Null -> Idle;
%router
i :: Idle
  [0] -> [0]n
n :: Null
  [0] -> [0]Idle@3
Idle@3 :: Idle
