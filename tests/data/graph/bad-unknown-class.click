FromDevice(eth0) -> x :: Foo(1) -> Discard;
Bar -> Discard;
y :: Baz;
%errors
1:26 unknown element class `Foo`
3:6 unknown element class `Baz`
2:1 `Bar` is neither a declared element nor an element class
