#pragma once

#include <array>
#include <optional>

#include "guest/graph/element.hpp"

namespace unibpf {

// CheckIPHeader - checks IPv4 headers
//
//   CheckIPHeader([OFFSET] [, BADSRC "ip ..."] [, CHECKSUM bool])
//
// Expects an IPv4 header OFFSET bytes into the packet (default 0). Lets packets pass whose version, header length, total
// length and header checksum (unless CHECKSUM is false) are right and whose source is not in BADSRC. Marks the network
// header, sets the destination annotation and cuts the packet to the length that its header says. Others leave by output 1
// if there is one.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: too-short, bad-header, bad-checksum, bad-source.
// Handlers: count, drops (read).
// Example: Classifier(12/0800) -> CheckIPHeader(14) -> Discard;
class CheckIPHeader : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void process(Batch& batch) override;

  private:
    // What is wrong with the packet; if nothing is, it is marked and cut.
    std::optional<DropReason> check(Packet& packet) const;
    bool bad_source(const std::uint8_t* address) const;

    static constexpr std::size_t max_bad_sources = 16;
    std::uint32_t offset_ = 0;
    bool checksum_ = true;
    std::array<IpAddress, max_bad_sources> bad_sources_{};
    std::size_t bad_source_count_ = 0;
};

}  // namespace unibpf
