// Frame: 512 bytes of stack, byte by byte. A byte is unwritten, part of a cell, or some number.
//
// Cells give the value of exactly the bytes that were stored together. Bytes of an address are never marked as numbers, so that
// an address can only be taken back whole, the way it was stored.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

#include "services/signer/native/state/value.hpp"

namespace unibpf::certificate {

inline constexpr unsigned frame_size = 512;

struct Cell {
    std::uint16_t start;
    std::uint8_t bytes;
    Value value;
};

struct Frame {
    std::vector<Cell> cells;             // sorted, none overlaps another
    std::bitset<frame_size> numbers;     // bytes that hold a part of a number

    void store(unsigned start, unsigned bytes, const Value& value);
    // Whatever stands in these bytes may have been overwritten by a number.
    void forget(unsigned start, unsigned bytes);
    void fill(unsigned start, unsigned bytes);  // by numbers
    const Cell* exact(unsigned start, unsigned bytes) const;
    // The cell whose bytes these are a part of.
    const Cell* around(unsigned start, unsigned bytes) const;
    bool all_numbers(unsigned start, unsigned bytes) const;
    void clear();
};

}  // namespace unibpf::certificate
