// NameTable: finds a T by its name inside a scope (a body of the graph's text), in constant time. Names point into memory
// that outlives the table. The table is made in an arena; with no memory it stays empty, and the arena says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "guest/graph/arena.hpp"

namespace unibpf {

template <typename T>
class NameTable {
    struct Entry {
        const void* scope;
        std::string_view name;
        T value;
        Entry* next;
    };

  public:
    explicit NameTable(Arena& arena) : arena_{arena}, buckets_{arena.array<Entry*>(bucket_count)} {}

    // The value put last under that name in that scope; null when there is none.
    T* find(const void* scope, std::string_view name) const {
        if (buckets_.empty()) return nullptr;
        for (Entry* entry = buckets_[hash(scope, name)]; entry; entry = entry->next)
            if (entry->scope == scope && entry->name == name) return &entry->value;
        return nullptr;
    }
    void put(const void* scope, std::string_view name, T value) {
        if (buckets_.empty()) return;
        Entry*& first = buckets_[hash(scope, name)];
        if (Entry* entry = arena_.create<Entry>(scope, name, value, first)) first = entry;
    }

  private:
    static constexpr std::size_t bucket_count = 256;

    // FNV-1a
    static std::size_t hash(const void* scope, std::string_view name) {
        std::uint32_t h = 2166136261u ^ static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(scope) >> 4);
        for (char c : name) h = (h ^ static_cast<std::uint8_t>(c)) * 16777619u;
        return (h ^ (h >> 16)) % bucket_count;
    }

    Arena& arena_;
    std::span<Entry*> buckets_;
};

}  // namespace unibpf
