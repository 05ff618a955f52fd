#pragma once

#include "guest/elements/ip/forward/ip_hop.hpp"
#include "guest/elements/outflow.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// IPFragmenter - cuts long packets into fragments
//
//   IPFragmenter(MTU [, HONOR_DF bool, VERBOSE])
//
// Packets of at most MTU bytes pass. Longer ones leave as fragments (RFC 791 2.3), each a packet of its own that begins with its IP
// header; those that say don't-fragment leave by output 1, unless HONOR_DF is false. Expects a marked IP header at the start.
// Ports: one push input, one or two push outputs.
// Drops: too-long, bad-header, no-buffer.
// Handlers: count, drops, fragments (read).
// Example: f :: IPFragmenter(1500) -> Discard; f[1] -> ICMPError(10.0.0.1, unreachable, needfrag) -> Discard;
class IPFragmenter : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;

    std::uint64_t fragments() const { return fragments_; }

  protected:
    void configure_mtu(Args& args, std::uint32_t mtu, bool honor);
    bool fits(Packet& packet) const;
    // Sends the packet, whole or in pieces, by `out`; what cannot be is dropped, or leaves by `df_port`.
    void send(PacketPtr packet, Outflow& out, unsigned df_port);

  private:
    void cut(const Packet& packet, const ip_hop::Ip& ip, Outflow& out);
    PacketPtr piece(const Packet& packet, std::span<const std::uint8_t> header, std::span<const std::uint8_t> payload, std::uint16_t field);

    PacketPool* pool_ = nullptr;
    std::uint32_t mtu_ = 0;
    bool honor_df_ = true;
    std::uint64_t fragments_ = 0;
};

}  // namespace unibpf
