// Deterministic CBOR (RFC 8949 4.2.1), as much as certificates need.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace unibpf::analyser {

class CborWriter {
  public:
    void uint(std::uint64_t value) { head(0, value); }
    void integer(std::int64_t value) {
        if (value >= 0) head(0, static_cast<std::uint64_t>(value));
        else head(1, ~static_cast<std::uint64_t>(value));
    }
    void array(std::size_t count) { head(4, count); }
    void map(std::size_t count) { head(5, count); }
    void null() { bytes_.push_back(0xf6); }
    std::size_t size() const { return bytes_.size(); }
    std::vector<std::uint8_t> take() { return std::move(bytes_); }

  private:
    void head(unsigned major, std::uint64_t value) {
        const auto first = static_cast<std::uint8_t>(major << 5);
        if (value < 24) return bytes_.push_back(static_cast<std::uint8_t>(first | value));
        const unsigned log = value <= UINT8_MAX    ? 0
                             : value <= UINT16_MAX ? 1
                             : value <= UINT32_MAX ? 2
                                                   : 3;
        bytes_.push_back(static_cast<std::uint8_t>(first | (24 + log)));
        for (unsigned shift = 8U << log; shift > 0; shift -= 8) bytes_.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
    }

    std::vector<std::uint8_t> bytes_;
};

}  // namespace unibpf::analyser
