#include "guest/control/coap/exchanges.hpp"

#include <algorithm>

namespace unibpf::coap {

std::optional<Bytes> Exchanges::find(const Endpoint& peer, std::uint16_t id, std::uint64_t now_ns) const {
    for (const Entry& entry : entries_) {
        if (entry.used && entry.id == id && entry.peer == peer && now_ns - entry.at_ns < exchange_lifetime_ns) {
            return Bytes{entry.answer}.first(entry.length);
        }
    }
    return std::nullopt;
}

void Exchanges::store(const Endpoint& peer, std::uint16_t id, std::uint64_t now_ns, Bytes answer) {
    if (answer.size() > max_datagram) return;
    Entry& entry = entries_[next_];
    next_ = (next_ + 1) % capacity;
    entry.peer = peer;
    entry.id = id;
    entry.at_ns = now_ns;
    entry.length = static_cast<std::uint16_t>(answer.size());
    entry.used = true;
    std::copy(answer.begin(), answer.end(), entry.answer.begin());
}

}  // namespace unibpf::coap
