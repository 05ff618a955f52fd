#include "services/verifier/native/state/stack.hpp"

#include <algorithm>

namespace unibpf::analyser {
namespace {

bool overlaps(const Cell& cell, unsigned start, unsigned bytes) {
    return cell.start < start + bytes && start < unsigned{cell.start} + cell.bytes;
}

}  // namespace

void Frame::erase(unsigned start, unsigned bytes) {
    std::erase_if(cells_, [&](const Cell& cell) { return overlaps(cell, start, bytes); });
}

void Frame::store(unsigned start, unsigned bytes, const Value& value) {
    erase(start, bytes);
    for (unsigned i = start; i < start + bytes; ++i) data_[i] = value.is_number();
    const auto place = std::find_if(cells_.begin(), cells_.end(), [&](const Cell& cell) { return cell.start > start; });
    cells_.insert(place, {static_cast<std::uint16_t>(start), static_cast<std::uint8_t>(bytes), value});
}

void Frame::fill(unsigned start, unsigned bytes) {
    erase(start, bytes);
    for (unsigned i = start; i < start + bytes; ++i) data_[i] = true;
}

void Frame::smear(unsigned first, unsigned last, unsigned bytes) {
    erase(first, last - first + bytes);  // numbers stay marked as data, bytes of addresses never were
}

const Value* Frame::cell_at(unsigned start, unsigned bytes) const {
    for (const Cell& cell : cells_) {
        if (cell.start == start && cell.bytes == bytes) return &cell.value;
    }
    return nullptr;
}

std::optional<std::uint64_t> Frame::constant_at(unsigned start, unsigned bytes) const {
    for (const Cell& cell : cells_) {
        if (cell.start > start || unsigned{cell.start} + cell.bytes < start + bytes || !cell.value.is_constant()) continue;
        const std::uint64_t word = cell.value.constant() >> ((start - cell.start) * 8);
        return bytes == 8 ? word : word & ((std::uint64_t{1} << (bytes * 8)) - 1);
    }
    return std::nullopt;
}

bool Frame::is_data(unsigned start, unsigned bytes) const {
    for (unsigned i = start; i < start + bytes; ++i) {
        if (!data_[i]) return false;
    }
    return true;
}

bool Frame::is_written(unsigned start, unsigned bytes) const {
    for (unsigned i = start; i < start + bytes; ++i) {
        if (data_[i]) continue;
        if (std::none_of(cells_.begin(), cells_.end(), [&](const Cell& cell) { return overlaps(cell, i, 1); })) return false;
    }
    return true;
}

}  // namespace unibpf::analyser
