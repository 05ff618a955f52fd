// Reader of deterministic CBOR (RFC 8949 4.2.1): shortest forms, definite lengths, nothing else. Throws Refusal.
//
// Lengths are bounded by what is left of the input, so no count asks for more memory than the input has bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "services/signer/native/input/refusal.hpp"

namespace unibpf::certificate {

class Cbor {
  public:
    explicit Cbor(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}

    bool at_end() const { return at_ == bytes_.size(); }
    std::uint64_t uint(std::uint64_t most = UINT64_MAX) { return bounded(head(0), most); }
    std::int64_t integer() {
        const bool negative = major() == 1;
        const std::uint64_t magnitude = bounded(head(negative ? 1 : 0), INT64_MAX);
        return negative ? -1 - static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
    }
    std::span<const std::uint8_t> bytes() { return take(head(2)); }
    std::string_view text() {
        const auto raw = take(head(3));
        return {reinterpret_cast<const char*>(raw.data()), raw.size()};  // bytes are characters: same size and alignment
    }
    std::size_t array() { return items(head(4)); }
    std::size_t map() { return items(head(5)); }
    bool next_is_array() const { return major() == 4; }
    // Takes a null if one stands here.
    bool null() {
        if (at_end() || bytes_[at_] != 0xf6) return false;
        ++at_;
        return true;
    }
    // One item of any kind, nested at most `depth` deep.
    void skip(unsigned depth = 8);
    // `read` gets each key; keys are ascending numbers.
    template <typename F>
    void each_key(F&& read) {
        std::int64_t last = -1;
        for (std::size_t left = map(); left > 0; --left) {
            const auto key = static_cast<std::int64_t>(uint(23));
            if (key <= last) malformed("the keys of a map are not ascending");
            last = key;
            read(static_cast<unsigned>(key));
        }
    }

  private:
    unsigned major() const { return at_end() ? 8 : bytes_[at_] >> 5; }
    std::uint64_t head(unsigned wanted);
    std::span<const std::uint8_t> take(std::uint64_t count) {
        if (count > bytes_.size() - at_) malformed("the input ends inside an item");
        const auto result = bytes_.subspan(at_, count);
        at_ += count;
        return result;
    }
    std::size_t items(std::uint64_t count) const {
        if (count > bytes_.size() - at_) malformed("the input ends inside an item");
        return count;
    }
    static std::uint64_t bounded(std::uint64_t value, std::uint64_t most) {
        if (value > most) malformed("a number is out of its range");
        return value;
    }

    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

}  // namespace unibpf::certificate
