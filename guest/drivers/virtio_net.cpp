#include "guest/drivers/virtio_net.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {
constexpr std::uint16_t ethernet_header = 14;
}

// Virtio 1.2, 3.1.1; the numbers are its steps.
Status VirtioNet::start(std::span<std::byte> rings) {
    if (rings.size() < ring_memory()) return Error{"nic", "too little ring memory", rings.size()};
    transport_.reset();                            // 1
    transport_.add_status(virtio::acknowledge);   // 2
    transport_.add_status(virtio::driver_known);        // 3
    const std::uint64_t offered = transport_.features();  // 4
    const std::uint64_t needed = virtio::net_mac | (transport_.legacy() ? virtio::any_layout : virtio::version_1);
    if ((offered & needed) != needed) {
        transport_.add_status(virtio::driver_failed);
        return Error{"nic", "the device lacks a feature that is needed", needed & ~offered};
    }
    // Without it a device drops what is longer than a buffer, and nobody counts it (5.1.6.3.1).
    merged_ = (offered & virtio::net_merged_buffers) != 0;
    transport_.accept_features(needed | (offered & virtio::net_merged_buffers));
    if (!transport_.legacy()) {
        transport_.add_status(virtio::features_ok);  // 5
        if ((transport_.status() & virtio::features_ok) == 0) return Error{"nic", "the device refused the features", needed};  // 6
    }
    const bool short_header = transport_.legacy() && !merged_;  // 5.1.6.1
    header_ = short_header ? virtio::legacy_header_bytes : static_cast<std::uint16_t>(sizeof(virtio::NetHeader));
    for (std::uint32_t i = 0; i < 6; ++i) mac_[i] = transport_.config(i);  // 7
    TRY(start_queue(virtio::receive_queue, rx_, rings.first(one_ring())));
    TRY(start_queue(virtio::transmit_queue, tx_, rings.subspan(one_ring())));
    transport_.add_status(virtio::driver_ok);  // 8
    refill();
    return done();
}

Status VirtioNet::start_queue(std::uint16_t index, Virtqueue& queue, std::span<std::byte> memory) {
    const std::uint16_t limit = transport_.queue_limit(index);
    if (limit == 0) return Error{"nic", "the device lacks a queue", index};
    queue.attach(memory, std::bit_floor(limit < queue_entries ? limit : queue_entries));
    transport_.start_queue(index, queue);
    return done();
}

std::size_t VirtioNet::receive(Batch& batch) {
    reclaim();
    if (!rx_.has_completions()) {
        // Nothing was taken, but the ring may still lack buffers because the pool was empty earlier.
        if (rx_.free_descriptors() != 0) refill();
        return 0;
    }
    const std::uint64_t now = platform::monotonic_ns();
    std::size_t received = 0;
    while (!batch.full()) {
        Virtqueue::Completion done = rx_.take();
        if (done.what == Virtqueue::Taken::nothing) break;
        if (!accept_frame(done) || !keep_ring()) {
            if (done.packet) offer(std::move(done.packet));
            continue;
        }
        done.packet->arrival_ns = now;
        done.packet->input_nic = index();
        ++counters_.rx_packets;
        counters_.rx_bytes += done.packet->length();
        batch.push_back(std::move(done.packet));
        ++received;
    }
    refill();
    return received;
}

// The packet's data begin at the frame; the device wrote header_ bytes more, before it.
bool VirtioNet::accept_frame(Virtqueue::Completion& done) {
    if (done.what == Virtqueue::Taken::bad_id) {
        ++counters_.rx_bad_id;
        return false;
    }
    if (parts_left_ != 0) {
        --parts_left_;
        return false;
    }
    if (done.what == Virtqueue::Taken::bad_length || done.length < header_ + std::uint32_t{ethernet_header}) {
        ++counters_.rx_bad_length;
        return false;
    }
    if (part_of_long_frame(done)) return false;
    done.packet->put(static_cast<std::uint16_t>(done.length - header_));
    return true;
}

// A frame longer than a packet can be comes in several buffers (5.1.6.4): counted at its first, all of them go back. A number
// of buffers that the ring does not have is a lie, and no other frame's loss.
bool VirtioNet::part_of_long_frame(const Virtqueue::Completion& done) {
    if (!merged_) return false;
    std::uint16_t buffers = 0;
    std::memcpy(&buffers, done.packet->data() - header_ + offsetof(virtio::NetHeader, num_buffers), sizeof buffers);
    if (buffers <= 1) return false;
    if (buffers > rx_.size()) {
        ++counters_.rx_bad_length;
        return true;
    }
    ++counters_.rx_too_long;
    parts_left_ = static_cast<std::uint16_t>(buffers - 1);
    return true;
}

// The ring never gives a buffer away without another one for it, so its slots are its own, whatever waits in the graph. False:
// there is none, the frame is dropped.
bool VirtioNet::keep_ring() {
    PacketPtr spare = pool_.acquire(use_);
    if (!spare) {
        ++counters_.rx_no_slot;
        return false;
    }
    offer(std::move(spare));
    return true;
}

void VirtioNet::offer(PacketPtr packet) {
    packet->reset();
    const std::uint64_t address = platform::device_address(packet->data()) - header_;
    rx_.add(packet, address, std::uint32_t{header_} + Packet::longest_fresh, true);
}

void VirtioNet::refill() {
    while (rx_.free_descriptors() != 0) {
        PacketPtr packet = pool_.acquire(use_);
        if (!packet) break;
        offer(std::move(packet));
    }
    if (rx_.publish()) transport_.notify(virtio::receive_queue);
}

void VirtioNet::transmit(Batch&& batch) {
    if (tx_.free_descriptors() < batch.size()) reclaim();
    while (!batch.empty()) send(batch.pop_front());
}

std::size_t VirtioNet::transmit_room() {
    if (tx_.free_descriptors() < Batch::most_packets) reclaim();
    return tx_.free_descriptors();
}

void VirtioNet::send(PacketPtr packet) {
    const std::uint16_t length = packet->length();
    if (length < ethernet_header || length > Packet::longest_fresh) {
        ++counters_.tx_bad_length;
        return;
    }
    // All zero: no checksum, no segmentation (5.1.6.2). The room is there: header_ <= device_room.
    std::uint8_t* header = packet->data() - header_;
    std::memset(header, 0, header_);
    if (!tx_.add(packet, platform::device_address(header), std::uint32_t{header_} + length, false)) {
        ++counters_.tx_ring_full;
        return;
    }
    ++counters_.tx_packets;
    counters_.tx_bytes += length;
}

void VirtioNet::flush() {
    if (tx_.publish()) transport_.notify(virtio::transmit_queue);
    reclaim();
}

// Sent packets return to the pool.
void VirtioNet::reclaim() {
    while (tx_.take().what != Virtqueue::Taken::nothing) {}
}

bool VirtioNet::wait_for_interrupt(bool wanted) {
    // Acknowledged while the ring still forbids interrupts: none can be lost in between.
    if (wanted) transport_.acknowledge_interrupt();
    rx_.want_interrupts(wanted);
    return !rx_.has_completions();
}

}  // namespace unibpf
