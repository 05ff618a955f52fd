#include "guest/packet/packet.hpp"

#include <cstring>
#include <new>

#include "guest/platform/platform.hpp"

namespace unibpf {

bool Packet::push(std::uint16_t n) {
    if (n > headroom()) return false;
    head_ = static_cast<std::uint16_t>(head_ - n);
    metadata_ = 0;
    return true;
}

bool Packet::pull(std::uint16_t n) {
    if (n > length()) return false;
    head_ = static_cast<std::uint16_t>(head_ + n);
    metadata_ = 0;
    return true;
}

bool Packet::put(std::uint16_t n) {
    if (n > tailroom()) return false;
    tail_ = static_cast<std::uint16_t>(tail_ + n);
    return true;
}

bool Packet::trim(std::uint16_t n) {
    if (n > length()) return false;
    tail_ = static_cast<std::uint16_t>(tail_ - n);
    return true;
}

bool Packet::take_frame(const Packet& copy) {
    const std::uint16_t head = copy.head_, tail = copy.tail_;
    const std::uint8_t metadata = copy.metadata_;
    if (head - metadata < least_start || head > tail || tail > slot_bytes) return false;
    head_ = head;
    tail_ = tail;
    metadata_ = metadata;
    return true;
}

bool Packet::move_head(std::int32_t by) {
    const std::int32_t head = head_ + by;
    if (head - metadata_ < least_start || head > tail_) return false;
    if (metadata_ != 0) std::memmove(slot_ + head - metadata_, data() - metadata_, metadata_);
    head_ = static_cast<std::uint16_t>(head);
    return true;
}

void Packet::reset() {
    head_ = fresh_start;
    tail_ = fresh_start;
    metadata_ = 0;
    arrival_ns = 0;
    network_offset = no_offset;
    input_nic = 0;
    paint = 0;
    transport_offset = no_offset;
    type = 0;
    destination_ip = 0;
    parameter = 0;
    fix_source = false;
    vlan = 0;
    aggregate = 0;
    extra_packets = 0;
    extra_length = 0;
}

std::span<std::uint8_t> Packet::network() {
    if (network_offset < head_ || network_offset >= tail_) return {};
    return {slot_ + network_offset, static_cast<std::size_t>(tail_ - network_offset)};
}

std::span<std::uint8_t> Packet::transport() {
    if (transport_offset < head_ || transport_offset > tail_) return {};
    return {slot_ + transport_offset, static_cast<std::size_t>(tail_ - transport_offset)};
}

void Packet::copy_annotations(const Packet& other) {
    arrival_ns = other.arrival_ns;
    network_offset = other.network_offset;
    transport_offset = other.transport_offset;
    input_nic = other.input_nic;
    paint = other.paint;
    type = other.type;
    destination_ip = other.destination_ip;
    aggregate = other.aggregate;
    extra_packets = other.extra_packets;
    extra_length = other.extra_length;
    parameter = other.parameter;
    fix_source = other.fix_source;
    vlan = other.vlan;
}

void PacketPtr::reset() {
    if (packet_ == nullptr) return;
    packet_->pool_->give_back(std::exchange(packet_, nullptr));
}

bool Batch::push_back(PacketPtr&& packet) {
    if (full() || !packet) return false;
    packets_[(first_ + size_) % most_packets] = packet.release();
    ++size_;
    return true;
}

PacketPtr Batch::pop_front() {
    if (empty()) return {};
    Packet* packet = packets_[first_];
    first_ = static_cast<std::uint8_t>((first_ + 1) % most_packets);
    --size_;
    return PacketPtr::adopt(packet);
}

std::size_t Batch::append(Batch& other) {
    std::size_t moved = 0;
    while (!full() && !other.empty()) {
        push_back(other.pop_front());
        ++moved;
    }
    return moved;
}

void Batch::clear() {
    while (!empty()) pop_front();
    first_ = 0;
}

void Batch::take(Batch& other) {
    first_ = 0;
    size_ = 0;
    while (!other.empty()) {
        packets_[size_++] = other.packets_[other.first_];
        other.first_ = static_cast<std::uint8_t>((other.first_ + 1) % most_packets);
        --other.size_;
    }
    other.first_ = 0;
}

PacketPool& PacketPool::system(std::size_t slots) {
    static PacketPool pool;
    if (pool.capacity_ == 0) pool.adopt(platform::alloc_region(region_bytes(slots)));
    return pool;
}

void PacketPool::adopt(std::span<std::byte> region) {
    if (capacity_ != 0) platform::panic("packet pool: adopted twice");
    if (reinterpret_cast<std::uintptr_t>(region.data()) % 4096 != 0) platform::panic("packet pool: region not aligned");
    capacity_ = region.size() / (Packet::slot_bytes + sizeof(Packet));
    if (region_bytes(capacity_) > region.size() && capacity_ > 0) --capacity_;  // the slots' last page is not full
    slots_ = region.data();
    if (capacity_ == 0) platform::panic("packet pool: region too small");
}

PacketPtr PacketPool::acquire(Use use) {
    if (available() <= (use == Use::management ? 0 : management_)) {
        ++exhausted_;
        return {};
    }
    Packet* packet = free_ != nullptr ? std::exchange(free_, free_->next_free_) : make_fresh();
    ++in_use_;
    packet->reset();
    return PacketPtr{packet};
}

PacketPtr PacketPool::copy(const Packet& packet) {
    PacketPtr made = acquire();
    if (!made) return made;
    made->head_ = packet.head_;
    made->tail_ = packet.tail_;
    made->metadata_ = packet.metadata_;
    std::memcpy(made->data() - made->metadata_, packet.data() - packet.metadata_, std::size_t{packet.metadata_} + packet.length());
    made->copy_annotations(packet);
    return made;
}

Packet* PacketPool::make_fresh() {
    auto* slot = reinterpret_cast<std::uint8_t*>(slots_) + touched_ * Packet::slot_bytes;
    std::byte* packets = slots_ + slots_bytes(capacity_);
    return new (packets + touched_++ * sizeof(Packet)) Packet{this, slot};
}

void PacketPool::give_back(Packet* packet) {
    packet->next_free_ = std::exchange(free_, packet);
    --in_use_;
}

}  // namespace unibpf
