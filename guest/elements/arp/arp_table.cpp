#include "guest/elements/arp/arp_table.hpp"

#include <utility>

#include "guest/bpf/maps/random.hpp"

namespace unibpf {

bool ArpTable::prepare(std::size_t entries, std::size_t packets) {
    random::prepare();
    while ((ways << set_bits_) < entries) ++set_bits_;
    entries_ = make_array<ArpEntry>(ways << set_bits_);
    slots_ = make_array<Waiting>(packets);
    if (!entries_ || !slots_) return false;
    for (std::size_t i = packets; i > 0; --i) slots_[i - 1].next = std::exchange(free_, static_cast<std::uint32_t>(i - 1));
    return true;
}

ArpEntry* ArpTable::set_of(std::uint32_t ip) const {
    const std::uint64_t hash = random::hash(ip);
    return &entries_[(set_bits_ == 0 ? 0 : hash >> (64 - set_bits_)) * ways];
}

ArpEntry* ArpTable::find(std::uint32_t ip) const {
    ArpEntry* set = set_of(ip);
    for (std::size_t i = 0; i < ways; ++i)
        if (set[i].ip == ip) return &set[i];
    return nullptr;
}

ArpEntry& ArpTable::claim(std::uint32_t ip, std::size_t& lost) {
    if (ArpEntry* found = find(ip)) return *found;
    ArpEntry* set = set_of(ip);
    ArpEntry* oldest = set;
    for (std::size_t i = 1; i < ways && oldest->ip != 0; ++i)
        if (set[i].ip == 0 || set[i].used_ns < oldest->used_ns) oldest = &set[i];
    release(*oldest, lost);
    oldest->ip = ip;
    return *oldest;
}

bool ArpTable::wait(ArpEntry& entry, PacketPtr&& packet) {
    if (free_ == ArpEntry::none) return false;
    const std::uint32_t slot = free_;
    free_ = slots_[slot].next;
    slots_[slot].packet = std::move(packet);
    slots_[slot].next = ArpEntry::none;
    (entry.last == ArpEntry::none ? entry.first : slots_[entry.last].next) = slot;
    entry.last = slot;
    ++waiting_;
    return true;
}

PacketPtr ArpTable::next(ArpEntry& entry) {
    if (entry.first == ArpEntry::none) return {};
    const std::uint32_t slot = entry.first;
    entry.first = slots_[slot].next;
    if (entry.first == ArpEntry::none) entry.last = ArpEntry::none;
    slots_[slot].next = std::exchange(free_, slot);
    --waiting_;
    return std::move(slots_[slot].packet);
}

void ArpTable::release(ArpEntry& entry, std::size_t& lost) {
    while (next(entry)) ++lost;
    entry = {};
}

}  // namespace unibpf
