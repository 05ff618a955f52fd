#pragma once

#include <array>

#include "guest/elements/ip/rewrite/rewriters.hpp"

namespace unibpf {

// ICMPRewriter - rewrites ICMP errors about rewritten flows
//
//   ICMPRewriter(MAPS "name ..." [, DST_ANNO bool])
//
// An ICMP error quotes a packet as a rewriter of MAPS sent it: the quoted header, and the address of the error itself, become what they were
// before, so that the sender understands (RFC 5508 4). Errors about no flow, and all other packets, leave by output 1 if there is one. Expects a marked IP
// header.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: no-mapping.
// Handlers: count, drops (read).
// Example: CheckIPHeader -> i :: ICMPRewriter(nat) -> Discard; Idle -> nat :: IPRewriter(pattern 1.0.0.1 1024-65535 - - 0 0) -> Discard;
class ICMPRewriter : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;

  private:
    static constexpr std::size_t most_maps = 8;
    bool rewrite(Packet& packet) const;
    FlowTable::Found find(const FlowKey& key, std::uint8_t protocol) const;

    AnyText names_;
    std::array<const FlowRewriter*, most_maps> maps_{};
    std::size_t count_ = 0;
    bool annotate_ = true;
};

}  // namespace unibpf
