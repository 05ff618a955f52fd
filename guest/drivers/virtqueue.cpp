#include "guest/drivers/virtqueue.hpp"

#include <bit>
#include <cstring>

#include "guest/platform/platform.hpp"

namespace unibpf {

void Virtqueue::attach(std::span<std::byte> memory, std::uint16_t size) {
    if (!std::has_single_bit(size) || size > most_descriptors || memory.size() < ring_bytes(size) ||
        reinterpret_cast<std::uintptr_t>(memory.data()) % virtio::legacy_ring_align != 0)
        platform::panic("virtqueue: bad ring memory");
    std::memset(memory.data(), 0, ring_bytes(size));
    // Sound: the memory is ours and aligned; descriptors and ring words are implicit-lifetime types.
    descriptors_ = reinterpret_cast<virtio::Descriptor*>(memory.data());
    available_ = reinterpret_cast<std::uint16_t*>(memory.data() + available_offset(size));
    used_ = reinterpret_cast<std::uint16_t*>(memory.data() + used_offset(size));
    size_ = size;
    free_count_ = size;
    for (std::uint16_t i = 0; i < size; ++i) next_free_[i] = static_cast<std::uint16_t>(i + 1);
    want_interrupts(false);
}

bool Virtqueue::add(PacketPtr& packet, std::uint64_t address, std::uint32_t length, bool device_writes) {
    if (free_count_ == 0) return false;
    const std::uint16_t id = free_head_;
    free_head_ = next_free_[id];
    --free_count_;
    descriptors_[id] = {address, length, device_writes ? virtio::desc_write : std::uint16_t{0}, 0};
    held_[id] = packet.release();
    offered_[id] = device_writes ? length : 0;
    available_[2 + added_ % size_] = id;
    ++added_;
    return true;
}

bool Virtqueue::publish() {
    if (added_ == published_) return false;
    published_ = added_;
    // 2.7.13.3: the entries before the index; pairs with the device's acquire of the index.
    available_index().store(added_, std::memory_order_release);
    // 2.7.13.4.1: the index before reading the device's flag, or both sides could wait for each other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return (used_flags().load(std::memory_order_relaxed) & virtio::used_no_notify) == 0;
}

Virtqueue::Completion Virtqueue::take() {
    // Pairs with the device's release of the index: the entry is there once the index is.
    if (used_index().load(std::memory_order_acquire) == seen_) return {};
    virtio::UsedElement element;
    std::memcpy(&element, used_ + 2 + 4u * (seen_ % size_), sizeof element);  // read once: the device may write again
    ++seen_;
    if (element.id >= size_ || held_[element.id] == nullptr) return {Taken::bad_id, {}, 0};

    const auto id = static_cast<std::uint16_t>(element.id);
    PacketPtr packet = PacketPtr::adopt(held_[id]);
    held_[id] = nullptr;
    next_free_[id] = free_head_;
    free_head_ = id;
    ++free_count_;
    if (element.length > offered_[id]) return {Taken::bad_length, std::move(packet), 0};
    return {Taken::packet, std::move(packet), element.length};
}

void Virtqueue::want_interrupts(bool wanted) {
    available_flags().store(wanted ? std::uint16_t{0} : virtio::avail_no_interrupt, std::memory_order_relaxed);
    // 2.7.7.2: the flag before the caller looks at the used index again.
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

}  // namespace unibpf
