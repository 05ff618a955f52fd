elementclass A {
  input -> output
%errors
3:1 the text ends here, expected `}`
