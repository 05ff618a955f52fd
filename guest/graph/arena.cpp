#include "guest/graph/arena.hpp"

#include "guest/core/heap.hpp"

namespace unibpf {

void* Arena::allocate(std::size_t bytes, std::size_t align) {
    auto at = (reinterpret_cast<std::uintptr_t>(at_) + align - 1) & ~(std::uintptr_t{align} - 1);
    if (!at_ || at + bytes > reinterpret_cast<std::uintptr_t>(end_)) {
        const std::size_t room = bytes + align > chunk_size_ ? bytes + align : chunk_size_;
        auto* chunk = static_cast<Chunk*>(Heap::system().allocate(sizeof(Chunk) + room));
        if (!chunk) {
            exhausted_ = true;
            return nullptr;
        }
        chunk->next = chunks_;
        chunks_ = chunk;
        at_ = reinterpret_cast<std::uint8_t*>(chunk + 1);  // sound: the chunk was made that much longer than its header
        end_ = at_ + room;
        at = (reinterpret_cast<std::uintptr_t>(at_) + align - 1) & ~(std::uintptr_t{align} - 1);
    }
    at_ = reinterpret_cast<std::uint8_t*>(at + bytes);
    return reinterpret_cast<void*>(at);
}

void Arena::release() {
    while (chunks_) {
        Chunk* next = chunks_->next;
        Heap::system().release(chunks_);
        chunks_ = next;
    }
    at_ = end_ = nullptr;
}

}  // namespace unibpf
