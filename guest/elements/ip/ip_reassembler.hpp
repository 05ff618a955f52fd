#pragma once

#include <array>

#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

// IPReassembler - puts fragments together again
//
//   IPReassembler([TIMEOUT t])
//
// Whole packets pass. Fragments wait until all of their packet are there, at most TIMEOUT (default 30s) and those of 32 packets at once; then the packet goes on,
// with a marked header and a right length. A packet is at most 1664 bytes and its header long here, since a slot holds no more: fragments beyond are dropped as too-long. Overlapping
// fragments end their packet (RFC 5722's reason holds here too). Expects a marked IP header; what is before it is lost.
// Ports: one agnostic input, one agnostic output.
// Drops: incomplete, too-long, bad-header, no-buffer, consumed.
// Handlers: count, drops, length (read).
// Example: CheckIPHeader -> IPReassembler -> IPClassifier(icmp type echo, -)
class IPReassembler : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;
    void run_timer(Timer& timer) override;

    std::uint32_t waiting() const;

  private:
    using Ip = wire::Ipv4<std::uint8_t>;
    static constexpr std::size_t most_packets = 32, longest = Packet::longest_fresh, unit = 8;
    struct Partial {
        PacketPtr packet;
        std::uint32_t source = 0, destination = 0;
        std::uint16_t id = 0;
        std::uint8_t protocol = 0;
        std::uint16_t fragments = 0;
        std::size_t header = 0;   // 0: the first fragment is missing
        std::size_t total = 0;    // bytes after the header; 0: the last fragment is missing
        std::uint64_t begun_ns = 0;
        std::array<bool, longest / unit + 1> there{};
    };
    Partial* find(const Ip& ip);
    Partial* begin(const Ip& ip);
    void end(Partial& partial, DropReason reason);
    PacketPtr take(PacketPtr packet, const Ip& ip);
    bool add(Partial& partial, const Ip& ip, std::size_t at);
    PacketPtr whole(Partial& partial);

    Duration timeout_{30'000'000'000};
    PacketPool* pool_ = nullptr;
    Timer timer_;
    std::array<Partial, most_packets> partials_;
};

}  // namespace unibpf
