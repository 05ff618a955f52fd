// Word: what is known of one 64-bit number: unsigned and signed bounds of all of it and of its low half, and bits.
//
// A Word stands for the set of numbers that lie in all its parts. `settle` carries knowledge between the parts and returns false
// if nothing is left. Operations are of RFC 9669 4.1 to 4.3: they wrap, so a bound that may have wrapped is not kept.
#pragma once

#include <cstdint>
#include <optional>

#include "services/signer/native/input/program.hpp"

namespace unibpf::certificate {

template <typename T>
struct Range {
    T low, high;
    bool operator==(const Range&) const = default;
    bool empty() const { return low > high; }
    bool covers(const Range& other) const { return low <= other.low && other.high <= high; }
};

struct Word {
    Range<std::uint64_t> u{0, UINT64_MAX};
    Range<std::int64_t> s{INT64_MIN, INT64_MAX};
    Range<std::uint32_t> hu{0, UINT32_MAX};            // the low half
    Range<std::int32_t> hs{INT32_MIN, INT32_MAX};
    std::uint64_t ones = 0, fuzzy = UINT64_MAX;        // bits that are 1; bits that are not known

    static Word exactly(std::uint64_t number);
    static Word between(std::uint64_t low, std::uint64_t high);
    static Word signed_between(std::int64_t low, std::int64_t high);
    // What `bytes` bytes of memory hold.
    static Word bytes(unsigned bytes, bool is_signed);

    bool operator==(const Word&) const = default;
    bool known() const { return u.low == u.high; }
    bool impossible() const { return u.empty() || s.empty() || hu.empty() || hs.empty(); }
    bool covers(const Word& other) const;
    [[nodiscard]] bool settle();
    // False if the two have nothing in common.
    [[nodiscard]] bool meet(const Word& other);
};

Word hull(const Word& a, const Word& b);
Word plus(const Word& a, const Word& b);
Word minus(const Word& a, const Word& b);
Word compute(Alu op, bool is_signed, unsigned width, const Word& a, const Word& b);
Word low_bytes(const Word& a, unsigned bytes);      // zero-extended
Word signed_bytes(const Word& a, unsigned bytes);   // sign-extended
Word swapped(const Word& a, unsigned bytes);

// Keeps of both what makes `a test b` true; false if nothing does.
[[nodiscard]] bool keep(Test test, unsigned width, Word& a, Word& b);
Test opposite(Test test);  // of all but `set`
[[nodiscard]] bool keep_unset(unsigned width, Word& a, const Word& b);

}  // namespace unibpf::certificate
