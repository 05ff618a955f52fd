// Bytes of others and of fixed size: views, digests, and a vector that has its room inside.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace unibpf {

using Bytes = std::span<const std::uint8_t>;
using Digest = std::array<std::uint8_t, 32>;

// A vector with room for N and no heap.
template <typename T, std::size_t N>
class FixedList {
  public:
    // Appends; the caller has checked `full()`.
    void push(const T& item) { items_[count_++] = item; }
    bool full() const { return count_ == N; }
    std::size_t size() const { return count_; }
    const T* begin() const { return items_.data(); }
    const T* end() const { return items_.data() + count_; }
    const T& operator[](std::size_t index) const { return items_[index]; }
    static constexpr std::size_t capacity() { return N; }

  private:
    std::array<T, N> items_{};
    std::size_t count_ = 0;
};

}  // namespace unibpf
