require(ipv6, unibpf);
%errors
1:1 package `ipv6` is not available
