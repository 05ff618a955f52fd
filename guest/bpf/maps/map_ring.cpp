#include "guest/bpf/maps/map_ring.hpp"

#include <algorithm>
#include <cstring>

#include "guest/bpf/maps/map_bytes.hpp"
#include "guest/bpf/maps/rights.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

Status RingMap::allocate(const BundleMap& spec) {
    size_ = holds() == abi::Holds::records ? spec.max_entries : abi::perf_ring_bytes;
    stride_ = 1;
    origin_ = platform::wall_clock_us() << 10;  // about ns: no ring fills faster than a byte a nanosecond
    return allocate_places(size_ + std::min<std::uint64_t>(size_, abi::max_record_bytes + header_bytes));
}

std::uint32_t RingMap::header(std::uint64_t position) const { return map_bytes::load<std::uint32_t>(at(position)); }

std::uint64_t RingMap::room_of(std::uint32_t header) { return map_bytes::round8((header & ~(busy | discarded)) + header_bytes); }

// As Linux, where the producer never gets a whole ring ahead of the consumer.
std::uint8_t* RingMap::reserve(std::uint64_t bytes) {
    const std::uint64_t room = bytes <= abi::max_record_bytes ? map_bytes::round8(static_cast<std::uint32_t>(bytes) + header_bytes) : UINT32_MAX;
    if (room > size_ || head().produced + room - head().consumed > size_ - 1) {
        ++head().lost;
        return nullptr;
    }
    std::uint8_t* place = at(head().produced);
    const std::uint32_t header[2] = {static_cast<std::uint32_t>(bytes) | busy, 0};
    std::memcpy(place, header, sizeof header);
    head().produced += room;
    ++head().used;
    return place + header_bytes;
}

void RingMap::submit(std::uint8_t* record, bool discard) {
    std::uint8_t* place = record - header_bytes;
    const std::uint32_t header = (map_bytes::load<std::uint32_t>(place) & ~busy) | (discard ? discarded : 0);
    std::memcpy(place, &header, sizeof header);
}

long RingMap::output(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second) {
    std::uint8_t* record = reserve(first.size() + second.size());
    if (record == nullptr) return -abi::eagain;
    std::copy(first.begin(), first.end(), record);
    std::copy(second.begin(), second.end(), record + first.size());
    submit(record, false);
    return 0;
}

RingMap::Step RingMap::read(std::uint64_t position) const {
    Step step{.next = position};
    for (std::uint32_t looked = 0; looked < scan_places && step.next < head().produced && !step.found; ++looked) {
        const std::uint32_t mark = header(step.next);
        step.found = (mark & (busy | discarded)) == 0;
        // No record is so long: an isolated program has spoilt the ring. There is nothing more to read.
        if (step.found && (mark > abi::max_record_bytes || mark + header_bytes > size_)) return Step{.next = head().produced};
        if (step.found) step.record = {at(step.next) + header_bytes, mark};
        step.next += room_of(mark);
    }
    return step;
}

bool RingMap::give_back(std::uint64_t position) {
    const auto more = with_rights(key(), [&] { return std::uint64_t{consume(position)}; });
    return more && *more != 0;
}

bool RingMap::consume(std::uint64_t position) {
    for (std::uint32_t looked = 0; looked < scan_places; ++looked) {
        if (head().consumed == head().produced) return false;
        const std::uint64_t end = head().consumed + room_of(header(head().consumed));
        if (end > position) return false;
        head().consumed = end;
        --head().used;
    }
    return true;
}

template <typename Each>
bool RingMap::any_reserved(Each&& each) const {
    for (std::uint64_t position = head().consumed; position < head().produced; position += room_of(header(position))) {
        const std::uint32_t mark = header(position);
        const auto record = reinterpret_cast<std::uintptr_t>(at(position)) + header_bytes;
        if ((mark & busy) != 0 && each(record, std::uint64_t{mark & ~busy})) return true;
    }
    return false;
}

bool RingMap::contains(std::uintptr_t address, std::size_t bytes) const {
    return any_reserved([&](std::uintptr_t record, std::uint64_t size) {
        return address >= record && address - record <= size && bytes <= size - (address - record);
    });
}

bool RingMap::is_reserved(std::uintptr_t record) const {
    return any_reserved([&](std::uintptr_t begin, std::uint64_t) { return begin == record; });
}

}  // namespace unibpf
