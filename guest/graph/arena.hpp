// Arena: memory for one router or one parse, given back all at once. Boot and control work only, never the data path.
//
// Nothing in it is destroyed one by one: hold only trivially destructible things. When the heap is empty `allocate` returns
// null and `exhausted()` stays true, so that a parse may check once at its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace unibpf {

class Arena {
  public:
    explicit Arena(std::size_t chunk_size = 4096) : chunk_size_{chunk_size} {}
    ~Arena() { release(); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    void* allocate(std::size_t bytes, std::size_t align);
    void release();
    bool exhausted() const { return exhausted_; }

    template <typename T, typename... A>
    T* create(A&&... args) {
        static_assert(std::is_trivially_destructible_v<T>);
        void* memory = allocate(sizeof(T), alignof(T));
        return memory ? new (memory) T{std::forward<A>(args)...} : nullptr;
    }

    // An array of `count` default values; empty when there is no memory.
    template <typename T>
    std::span<T> array(std::size_t count) {
        static_assert(std::is_trivially_destructible_v<T>);
        if (count == 0) return {};
        auto* memory = static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
        if (!memory) return {};
        for (std::size_t i = 0; i < count; ++i) new (memory + i) T{};
        return {memory, count};
    }

    // A copy of the text that lives as long as the arena.
    std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        auto* memory = static_cast<char*>(allocate(text.size(), 1));
        if (!memory) return {};
        std::memcpy(memory, text.data(), text.size());
        return {memory, text.size()};
    }

  private:
    struct Chunk {
        Chunk* next;
    };

    std::size_t chunk_size_;
    Chunk* chunks_ = nullptr;
    std::uint8_t* at_ = nullptr;
    std::uint8_t* end_ = nullptr;
    bool exhausted_ = false;
};

// A list that grows inside an arena: appended at the end, read from the front; elements never move.
template <typename T>
class List {
    static_assert(std::is_trivially_destructible_v<T>);
    struct Node {
        T value;
        Node* next = nullptr;
    };

  public:
    class Iterator {
      public:
        explicit Iterator(Node* node) : node_{node} {}
        T& operator*() const { return node_->value; }
        Iterator& operator++() { return node_ = node_->next, *this; }
        bool operator!=(const Iterator& other) const { return node_ != other.node_; }

      private:
        Node* node_;
    };

    // Null when the arena is exhausted.
    T* append(Arena& arena, T value) {
        Node* node = arena.create<Node>(value, nullptr);
        if (!node) return nullptr;
        (last_ ? last_->next : first_) = node;
        last_ = node;
        ++size_;
        return &node->value;
    }
    Iterator begin() const { return Iterator{first_}; }
    Iterator end() const { return Iterator{nullptr}; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T& front() const { return first_->value; }

    // The same values side by side.
    std::span<T> to_span(Arena& arena) const {
        std::span<T> all = arena.array<T>(size_);
        std::size_t i = 0;
        if (!all.empty())
            for (T& value : *this) all[i++] = value;
        return all;
    }

  private:
    Node* first_ = nullptr;
    Node* last_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace unibpf
