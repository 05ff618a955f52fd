// One stack frame, byte-precise: 512 bytes below r10, addressed by their distance from the frame's lowest byte (0..511).
//
// Invariants: cells do not overlap and are sorted; a cell gives the value of a whole aligned-or-not range as it was stored. `data`
// marks bytes that hold initialised numbers, whether or not a cell says which; bytes of a cell with an address are not marked, so
// that half a pointer can never be read as a number. Bytes that are neither marked nor in a cell must not be read.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

#include "guest/bpf/bundle/abi.hpp"
#include "services/verifier/native/state/value.hpp"

namespace unibpf::analyser {

struct Cell {
    std::uint16_t start;
    std::uint8_t bytes;
    Value value;
};

class Frame {
  public:
    static constexpr unsigned size = abi::frame_bytes;

    // A store at a known place.
    void store(unsigned start, unsigned bytes, const Value& value);
    // Numbers of unknown value now fill the range (helper output, memset).
    void fill(unsigned start, unsigned bytes);
    // A number of `bytes` bytes is stored somewhere in [first, last + bytes): old contents may or may not survive.
    void smear(unsigned first, unsigned last, unsigned bytes);

    // What a load gives if a cell tells exactly.
    const Value* cell_at(unsigned start, unsigned bytes) const;
    // Part of a cell that holds a constant (little endian).
    std::optional<std::uint64_t> constant_at(unsigned start, unsigned bytes) const;
    bool is_data(unsigned start, unsigned bytes) const;
    // True if every byte is written, be it with numbers or addresses.
    bool is_written(unsigned start, unsigned bytes) const;

    const std::vector<Cell>& cells() const { return cells_; }
    std::vector<Cell>& cells() { return cells_; }
    const std::bitset<size>& data() const { return data_; }
    std::bitset<size>& data() { return data_; }

  private:
    void erase(unsigned start, unsigned bytes);

    std::vector<Cell> cells_;
    std::bitset<size> data_;
};

}  // namespace unibpf::analyser
