#pragma once

#include <array>
#include <optional>

#include "guest/graph/element.hpp"

namespace unibpf {

// CheckIPHeader - checks IPv4 headers
//
//   CheckIPHeader([OFFSET] [, OFFSET, INTERFACES "ip/mask ...", BADSRC "ip ...", GOODDST "ip ...", CHECKSUM bool, VERBOSE, DETAILS])
//
// Expects an IPv4 header OFFSET bytes into the packet (default 0). Lets packets pass whose version, header length, total
// length and header checksum (unless CHECKSUM is false) are right and whose source is not in BADSRC (default 0.0.0.0 and
// 255.255.255.255), or whose destination is in GOODDST. INTERFACES gives a router's addresses with their prefixes: the broadcast
// addresses of these are bad sources as well, the addresses good destinations. Marks the network header, sets the destination
// annotation and cuts the packet to the length that its header says. Others leave by output 1 if there is one. Click's older
// form CheckIPHeader("bad ip ...", OFFSET) is read too; VERBOSE and DETAILS are accepted, drops are counted by reason always.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-short, bad-header, bad-checksum, bad-source.
// Handlers: count, drops (read).
// Example: Classifier(12/0800) -> CheckIPHeader(14, INTERFACES 10.0.0.1/24 10.0.1.1/24) -> Discard;
class CheckIPHeader : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  protected:
    // The marks alone, for CheckIPHeader2 and the combined elements.
    void set_checksum(bool checksum) { checksum_ = checksum; }
    // What is wrong with the packet; if nothing is, it is marked and cut.
    std::optional<DropReason> check(Packet& packet) const;
    void configure_sources(Args& args);
    void pass_good(Batch& batch);

    std::uint32_t offset_ = 0;

  private:
    static constexpr std::size_t most_addresses = 32;
    struct AddressList {
        std::array<std::uint32_t, most_addresses> addresses{};
        std::size_t count = 0;

        bool add(std::uint32_t address);
        bool holds(std::uint32_t address) const;
    };
    void read_addresses(Args& args, std::string_view text, std::string_view keyword, AddressList& list);
    void read_interfaces(Args& args, std::string_view text);

    bool checksum_ = true;
    AddressList bad_sources_;
    AddressList good_destinations_;
};

// CheckIPHeader2 - checks IPv4 headers but for their checksum
//
//   CheckIPHeader2([OFFSET] [, OFFSET, INTERFACES, BADSRC, GOODDST, CHECKSUM, VERBOSE, DETAILS])
//
// As CheckIPHeader, but CHECKSUM is false unless given: for packets whose sum a NIC has checked.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-short, bad-header, bad-checksum, bad-source.
// Handlers: count, drops (read).
// Example: Strip(14) -> CheckIPHeader2 -> Discard;
class CheckIPHeader2 : public CheckIPHeader {
  public:
    static const ElementClass class_row;

    CheckIPHeader2() { set_checksum(false); }
};

}  // namespace unibpf
