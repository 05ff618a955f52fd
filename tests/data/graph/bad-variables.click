define(X 3, $Y);
FromDevice($Z) -> Queue($Y) -> Discard;
%errors
1:8 got `X 3`, expected `$NAME value`
