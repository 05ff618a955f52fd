// A growing byte buffer on the system heap, for control work only.
//
// Move-only; capacity doubles, so appending costs a copy of each byte at most twice. Growing can fail, and then nothing
// has changed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "guest/core/bytes.hpp"
#include "guest/core/heap.hpp"

namespace unibpf {

class Buffer {
  public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept
        : data_{std::exchange(other.data_, nullptr)}, size_{std::exchange(other.size_, 0)},
          capacity_{std::exchange(other.capacity_, 0)} {}
    Buffer& operator=(Buffer&& other) noexcept {
        if (this != &other) {
            clear();
            data_ = std::exchange(other.data_, nullptr);
            size_ = std::exchange(other.size_, 0);
            capacity_ = std::exchange(other.capacity_, 0);
        }
        return *this;
    }
    ~Buffer() { clear(); }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    Bytes bytes() const { return {data_, size_}; }

    // All that is reserved, to be used as working memory.
    std::span<std::uint8_t> room() { return {data_, capacity_}; }

    // Gives the memory back.
    void clear() {
        Heap::system().release(data_);
        data_ = nullptr;
        size_ = capacity_ = 0;
    }
    bool reserve(std::size_t capacity) {
        if (capacity <= capacity_) return true;
        auto* grown = static_cast<std::uint8_t*>(Heap::system().allocate(capacity));
        if (grown == nullptr) return false;
        if (size_ != 0) std::memcpy(grown, data_, size_);
        Heap::system().release(data_);
        data_ = grown;
        capacity_ = capacity;
        return true;
    }
    bool append(Bytes bytes) {
        if (bytes.size() > capacity_ - size_ && !reserve(std::max(size_ + bytes.size(), capacity_ * 2))) return false;
        if (!bytes.empty()) std::memcpy(data_ + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
        return true;
    }

  private:
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace unibpf
