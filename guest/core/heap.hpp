// The heap for boot and control work. The data path never calls it: packets come from a PacketPool.
//
// First fit over an address-ordered free list inside one region, which lies below 4 GiB (so map values have addresses that
// fit a 32-bit field). Every block has a 16-byte header; neighbours merge on release. A block is never zeroed.
// Invariants: free blocks are in ascending address order and no two of them touch; used() counts headers too.
//
// Allocation can fail: `allocate` gives nullptr, `make` an empty Owned. The caller says so, the guest lives on.
// The control stack may be preempted in here while the data path runs, which is sound because the data path never allocates
// or releases; an object that the data path lets go of is released by control code or between two slices under NoPreempt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "guest/core/needs.hpp"

namespace unibpf {

class Heap {
  public:
    Heap() = default;
    explicit Heap(std::span<std::byte> region) { adopt(region); }
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // The heap of the running guest. The first call takes `bytes` from the platform: main's, at boot; in tests, anybody's.
    static Heap& system(std::size_t bytes = 8u << 20);

    void adopt(std::span<std::byte> region);  // once, before the first allocation
    void* allocate(std::size_t bytes, std::size_t align = 16);  // nullptr when nothing fits
    void release(void* pointer);                                // nullptr is allowed; a double release panics

    // While one lives, every block of the system heap lies on pages of its own with this key (platform.hpp, isolation), until its
    // release. Control stack or boot; does nothing for the key `guest`.
    class OnPages {
      public:
        explicit OnPages(platform::PageKey key) : before_{std::exchange(system().key_, key)} {}
        ~OnPages() { system().key_ = before_; }
        OnPages(const OnPages&) = delete;
        OnPages& operator=(const OnPages&) = delete;

      private:
        platform::PageKey before_;
    };

    std::size_t total() const { return total_; }
    std::size_t used() const { return used_; }
    std::size_t peak() const { return peak_; }

  private:
    struct Block;
    void* take(std::size_t bytes, std::size_t align);
    void* allocate_pages(std::size_t bytes);
    void insert_free(Block* block);

    Block* free_ = nullptr;
    std::uintptr_t begin_ = 0;
    std::uintptr_t end_ = 0;
    std::size_t total_ = 0;
    std::size_t used_ = 0;
    std::size_t peak_ = 0;
    platform::PageKey key_{};
};

// A move-only owner of one object on the system heap. Converts to an owner of a base class that has a virtual destructor.
template <typename T>
class Owned {
  public:
    Owned() = default;
    explicit Owned(T* object, void* block) : object_{object}, block_{block} {}
    Owned(Owned&& other) noexcept : object_{std::exchange(other.object_, nullptr)}, block_{std::exchange(other.block_, nullptr)} {}
    template <typename U>
    requires(std::is_convertible_v<U*, T*> && (std::is_same_v<U, T> || std::has_virtual_destructor_v<T>))
    Owned(Owned<U>&& other) noexcept : object_{other.object_}, block_{other.block_} {
        other.object_ = nullptr;
        other.block_ = nullptr;
    }
    Owned& operator=(Owned&& other) noexcept {
        if (this != &other) {
            reset();
            object_ = std::exchange(other.object_, nullptr);
            block_ = std::exchange(other.block_, nullptr);
        }
        return *this;
    }
    ~Owned() { reset(); }

    void reset() {
        if (object_ == nullptr) return;
        object_->~T();
        Heap::system().release(block_);
        object_ = nullptr;
        block_ = nullptr;
    }
    explicit operator bool() const { return object_ != nullptr; }
    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }

  private:
    template <typename U>
    friend class Owned;
    T* object_ = nullptr;
    void* block_ = nullptr;
};

// An array on the system heap, its size fixed at birth.
template <typename T>
class OwnedArray {
  public:
    OwnedArray() = default;
    OwnedArray(T* items, std::size_t size) : items_{items}, size_{size} {}
    OwnedArray(OwnedArray&& other) noexcept : items_{std::exchange(other.items_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    OwnedArray& operator=(OwnedArray&& other) noexcept {
        if (this != &other) {
            reset();
            items_ = std::exchange(other.items_, nullptr);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }
    ~OwnedArray() { reset(); }

    void reset() {
        for (std::size_t i = size_; i > 0; --i) items_[i - 1].~T();
        if (items_ != nullptr) Heap::system().release(items_);
        items_ = nullptr;
        size_ = 0;
    }
    explicit operator bool() const { return items_ != nullptr; }
    T* data() const { return items_; }
    std::size_t size() const { return size_; }
    T& operator[](std::size_t index) const { return items_[index]; }
    T* begin() const { return items_; }
    T* end() const { return items_ + size_; }
    std::span<T> span() const { return {items_, size_}; }

  private:
    T* items_ = nullptr;
    std::size_t size_ = 0;
};

// A T on the system heap; empty when there is no memory.
template <typename T, typename... Arguments>
Owned<T> make(Arguments&&... arguments) {
    void* block = Heap::system().allocate(sizeof(T), alignof(T) < 16 ? 16 : alignof(T));
    if (block == nullptr) return {};
    return Owned<T>{new (block) T(std::forward<Arguments>(arguments)...), block};
}

// `size` value-initialized Ts (zeroes, for numbers); empty when there is no memory. A size of 0 gives one byte's block.
template <typename T>
OwnedArray<T> make_array(std::size_t size) {
    if (size > SIZE_MAX / sizeof(T)) return {};
    void* block = Heap::system().allocate(size * sizeof(T), alignof(T) < 16 ? 16 : alignof(T));
    if (block == nullptr) return {};
    T* items = static_cast<T*>(block);
    for (std::size_t i = 0; i < size; ++i) new (items + i) T{};
    return {items, size};
}

}  // namespace unibpf
