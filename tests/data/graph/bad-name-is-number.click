12 :: Idle;
%errors
1:1 element name `12` is a number
