#include "services/verifier/native/memory.hpp"

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace unibpf::analyser::memory {
namespace {

// One thread.
std::size_t used = 0, most = SIZE_MAX;

}  // namespace

void limit(std::size_t bytes) { most = bytes; }
void lift() { most = SIZE_MAX; }

}  // namespace unibpf::analyser::memory

// [new.delete]: replaceable; the array and sized forms of the standard library end here. No type of the analyser is over-aligned.
void* operator new(std::size_t size) {
    namespace memory = unibpf::analyser::memory;
    if (size > memory::most || memory::used > memory::most - size) throw std::bad_alloc{};
    void* block = std::malloc(size == 0 ? 1 : size);
    if (block == nullptr) throw std::bad_alloc{};
    memory::used += malloc_usable_size(block);
    return block;
}

void operator delete(void* block) noexcept {
    if (block == nullptr) return;
    unibpf::analyser::memory::used -= malloc_usable_size(block);
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
