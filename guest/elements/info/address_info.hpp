#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// AddressInfo - gives names to addresses
//
//   AddressInfo(NAME ADDRESS ... , ...)
//
// Each argument is a name and what it stands for: at most one each of an IP address, an IP prefix, an IPv6 address, an IPv6
// prefix and an Ethernet address; a prefix is an address as well. Arguments of other elements may then say the name instead, in
// the compound of this element and in those inside; NAME:ip, NAME:ipnet, NAME:ip6, NAME:ip6net and NAME:eth choose one.
// Example: AddressInfo(router 10.0.0.1/8 52:54:00:00:00:01); FromDevice(eth0) -> ARPResponder(router router) -> ToDevice(eth0);
class AddressInfo : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;

  private:
    bool add(std::string_view name, std::string_view word);
};

}  // namespace unibpf
