#include "services/signer/native/state/frame.hpp"

#include <algorithm>

namespace unibpf::certificate {

// Cells that are cut lose their value; their bytes stay numbers if they were.
void Frame::forget(unsigned start, unsigned bytes) {
    std::erase_if(cells, [&](const Cell& cell) { return cell.start < start + bytes && start < unsigned{cell.start} + cell.bytes; });
}

void Frame::fill(unsigned start, unsigned bytes) {
    forget(start, bytes);
    for (unsigned at = start; at < start + bytes; ++at) numbers.set(at);
}

void Frame::store(unsigned start, unsigned bytes, const Value& value) {
    forget(start, bytes);
    for (unsigned at = start; at < start + bytes; ++at) numbers.set(at, value.is_number());
    const auto place = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) { return cell.start > start; });
    cells.insert(place, {static_cast<std::uint16_t>(start), static_cast<std::uint8_t>(bytes), value});
}

const Cell* Frame::exact(unsigned start, unsigned bytes) const {
    for (const Cell& cell : cells) {
        if (cell.start == start && cell.bytes == bytes) return &cell;
    }
    return nullptr;
}

const Cell* Frame::around(unsigned start, unsigned bytes) const {
    for (const Cell& cell : cells) {
        if (cell.start <= start && start + bytes <= unsigned{cell.start} + cell.bytes) return &cell;
    }
    return nullptr;
}

bool Frame::all_numbers(unsigned start, unsigned bytes) const {
    for (unsigned at = start; at < start + bytes; ++at) {
        if (!numbers.test(at)) return false;
    }
    return true;
}

void Frame::clear() {
    cells.clear();
    numbers.reset();
}

}  // namespace unibpf::certificate
