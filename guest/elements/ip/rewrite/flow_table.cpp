#include "guest/elements/ip/rewrite/flow_table.hpp"

#include <algorithm>

#include "guest/bpf/maps/random.hpp"
#include "guest/wire/checksum.hpp"

namespace unibpf {

namespace {

// The sum of (not before) + after over 16-bit words.
std::uint32_t change(std::uint32_t before, std::uint32_t after) {
    return (~before >> 16 & 0xffff) + (~before & 0xffff) + (after >> 16) + (after & 0xffff);
}

void settle(FlowSide& side, const FlowKey& key, const FlowKey& after) {
    side.key = key;
    side.after = after;
    const std::uint32_t addresses = change(key.source, after.source) + change(key.destination, after.destination);
    const std::uint32_t ports = change(std::uint32_t{key.source_port} << 16 | key.destination_port, std::uint32_t{after.source_port} << 16 | after.destination_port);
    side.ip_change = wire::fold(addresses);
    side.transport_change = wire::fold(addresses + ports);
}

}  // namespace

bool FlowTable::prepare(std::size_t capacity) {
    random::prepare();
    while ((std::size_t{1} << bits_) < 2 * capacity) ++bits_;
    flows_ = make_array<Flow>(capacity);
    buckets_ = make_array<std::uint32_t>(std::size_t{1} << bits_);
    if (!flows_ || !buckets_) return false;
    std::fill(buckets_.begin(), buckets_.end(), none);
    return true;
}

inline std::uint32_t& FlowTable::bucket_of(const FlowKey& key, std::uint8_t protocol) const {
    const std::uint64_t addresses = std::uint64_t{key.source} << 32 | key.destination;
    const std::uint64_t rest = std::uint64_t{protocol} << 32 | std::uint32_t{key.source_port} << 16 | key.destination_port;
    return buckets_[random::hash(addresses, rest) >> (64 - bits_)];
}

FlowTable::Found FlowTable::find(const FlowKey& key, std::uint8_t protocol, std::uint64_t now_ns) {
    for (std::uint32_t number = bucket_of(key, protocol); number != none; number = side(number).next) {
        Flow& flow = flows_[number / 2];
        if (flow.protocol != protocol || !(side(number).key == key)) continue;
        if (now_ns - flow.last_ns <= flow.timeout_ns) return {&flow, number % 2};
        remove(number / 2);
        return {};
    }
    return {};
}

void FlowTable::link(std::uint32_t number, std::uint8_t protocol) {
    std::uint32_t& bucket = bucket_of(side(number).key, protocol);
    side(number).next = bucket;
    bucket = number;
}

void FlowTable::unlink(std::uint32_t number, std::uint8_t protocol) {
    std::uint32_t* at = &bucket_of(side(number).key, protocol);
    while (*at != number) at = &side(*at).next;
    *at = side(number).next;
}

void FlowTable::remove(std::size_t flow) {
    for (std::uint32_t s = 0; s < 2; ++s) unlink(static_cast<std::uint32_t>(2 * flow + s), flows_[flow].protocol);
    flows_[flow].used = false;
    --size_;
}

// Where a new flow may live; `flows_.size()`: nowhere.
std::size_t FlowTable::place(std::uint64_t now_ns, std::uint64_t guarantee_ns) {
    constexpr std::size_t most_looks = 32;
    const bool full = size_ == flows_.size();
    std::size_t quietest = flows_.size();
    for (std::size_t looks = 0; looks < flows_.size() && (!full || looks < most_looks); ++looks) {
        const std::size_t at = hand_;
        if (++hand_ == flows_.size()) hand_ = 0;
        const Flow& flow = flows_[at];
        if (!flow.used) return at;
        if (now_ns - flow.last_ns > flow.timeout_ns) return remove(at), at;
        if (now_ns - flow.last_ns > guarantee_ns && (quietest == flows_.size() || flow.last_ns < flows_[quietest].last_ns)) quietest = at;
    }
    if (quietest != flows_.size()) remove(quietest);
    return quietest;
}

Flow* FlowTable::add(const FlowKey& forward, const FlowKey& rewritten, std::uint8_t protocol, std::uint64_t now_ns, std::uint64_t guarantee_ns) {
    const std::size_t at = place(now_ns, guarantee_ns);
    if (at == flows_.size()) return nullptr;
    Flow& flow = flows_[at];
    flow = {};
    flow.used = true;
    flow.protocol = protocol;
    flow.last_ns = now_ns;
    settle(flow.sides[0], forward, rewritten);
    settle(flow.sides[1], rewritten.reversed(), forward.reversed());
    for (std::uint32_t s = 0; s < 2; ++s) link(static_cast<std::uint32_t>(2 * at + s), protocol);
    ++size_;
    return &flow;
}

}  // namespace unibpf
