elementclass A { input -> output || $x | input -> output }
connectiontunnel a -> b;
%errors
1:34 got `||`, expected a statement
2:1 `connectiontunnel` is neither a declared element nor an element class
2:18 `a` is neither a declared element nor an element class
2:23 `b` is neither a declared element nor an element class
