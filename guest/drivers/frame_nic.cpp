#include "guest/drivers/frame_nic.hpp"

namespace unibpf {

namespace {
constexpr std::size_t ethernet_header = 14;
}

std::size_t FrameNic::receive(Batch& batch) {
    std::size_t received = 0;
    while (!batch.full()) {
        PacketPtr packet = pool_.acquire(use_);
        if (!packet) {
            ++counters_.rx_no_slot;
            break;
        }
        const std::size_t length = device_.receive({packet->data(), Packet::longest_fresh});
        if (length == 0) break;
        if (length > Packet::longest_fresh) {
            ++counters_.rx_too_long;
            continue;
        }
        if (length < ethernet_header || !packet->put(static_cast<std::uint16_t>(length))) {
            ++counters_.rx_bad_length;
            continue;
        }
        packet->arrival_ns = platform::monotonic_ns();
        packet->input_nic = index();
        ++counters_.rx_packets;
        counters_.rx_bytes += length;
        batch.push_back(std::move(packet));
        ++received;
    }
    return received;
}

void FrameNic::transmit(Batch&& batch) {
    while (!batch.empty()) {
        const PacketPtr packet = batch.pop_front();
        if (packet->length() < ethernet_header) {
            ++counters_.tx_bad_length;
        } else if (!device_.transmit(packet->bytes())) {
            ++counters_.tx_ring_full;
        } else {
            ++counters_.tx_packets;
            counters_.tx_bytes += packet->length();
        }
    }
}

}  // namespace unibpf
