#include "guest/graph/element.hpp"

#include <algorithm>
#include <utility>

namespace unibpf {

void Element::push(unsigned port, Batch&& batch) {
    (void)port;
    process(batch);
    if (!batch.empty()) outputs_[0].push(std::move(batch));
}

void Element::pull(unsigned port, Batch& batch) {
    (void)port;
    inputs_[0].pull(batch);
    packets_ += batch.size();
    process(batch);
}

void Element::push_or_drop(unsigned port, Batch&& batch, DropReason reason) {
    if (port < outputs_.size() && outputs_[port].connected()) outputs_[port].push(std::move(batch));
    else drop(std::move(batch), reason);
}

void Element::distribute(Batch&& batch, std::span<const std::uint16_t> ports, DropReason reason) {
    std::size_t count = batch.size();
    const auto used = ports.first(count);
    if (count > 0 && std::all_of(used.begin(), used.end(), [&](std::uint16_t port) { return port == used[0]; }))
        return push_or_drop(used[0], std::move(batch), reason);
    std::uint16_t left[Batch::most_packets];
    for (std::size_t i = 0; i < count; ++i) left[i] = used[i];
    while (count > 0) {
        const std::uint16_t port = left[0];
        Batch same;
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            PacketPtr packet = batch.pop_front();
            if (left[i] == port) {
                same.push_back(std::move(packet));
            } else {
                left[kept++] = left[i];
                batch.push_back(std::move(packet));
            }
        }
        count = kept;
        push_or_drop(port, std::move(same), reason);
    }
}

void Element::drop(Batch&& batch, DropReason reason) {
    drops_[static_cast<std::size_t>(reason)] += batch.size();
    batch.clear();
}

void Element::drop(PacketPtr packet, DropReason reason) {
    drops_[static_cast<std::size_t>(reason)] += packet ? 1 : 0;
    packet.reset();
}

void Element::reset_counters() {
    packets_ = 0;
    drops_ = {};
}

}  // namespace unibpf
