#include "guest/core/heap.hpp"

namespace unibpf {

namespace {
constexpr std::size_t grain = 16;
constexpr std::size_t page_bytes = 4096;
constexpr platform::PageKey no_key{};

constexpr std::uintptr_t round_up(std::uintptr_t value, std::size_t to) { return (value + to - 1) & ~(std::uintptr_t{to} - 1); }
}  // namespace

// Sits before every block. `size` counts the header; `next` is the next free block, or in_use, or on_pages.
struct Heap::Block {
    std::size_t size;
    Block* next;

    std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(this); }
};

namespace {
// What `next` says in a block that is in use: no block can have this address, so a double release is noticed.
constexpr std::uintptr_t in_use = 0x1;
constexpr std::uintptr_t on_pages = 0x3;  // the same, and the pages of its payload have a key
}  // namespace

Heap& Heap::system(std::size_t bytes) {
    static Heap heap;
    if (heap.total_ == 0) heap.adopt(platform::alloc_region(bytes));
    return heap;
}

void Heap::adopt(std::span<std::byte> region) {
    if (total_ != 0) platform::panic("heap: adopted twice");
    begin_ = round_up(reinterpret_cast<std::uintptr_t>(region.data()), grain);
    end_ = (reinterpret_cast<std::uintptr_t>(region.data()) + region.size()) & ~(std::uintptr_t{grain} - 1);
    if (region.empty() || end_ <= begin_ + sizeof(Block)) platform::panic("heap: region too small");
    total_ = end_ - begin_;
    // Sound: the region belongs to this heap alone, is aligned, and larger than a Block.
    free_ = new (reinterpret_cast<void*>(begin_)) Block{total_, nullptr};
}

void* Heap::allocate(std::size_t bytes, std::size_t align) {
    return key_ == no_key ? take(bytes, align) : allocate_pages(bytes);
}

// The header lies on the page before, and what follows begins on the page after it.
void* Heap::allocate_pages(std::size_t bytes) {
    if (bytes > total_) return nullptr;
    bytes = round_up(bytes == 0 ? 1 : bytes, page_bytes);
    auto* payload = static_cast<std::byte*>(take(bytes, page_bytes));
    if (payload == nullptr) return nullptr;
    if (!platform::set_page_key({payload, bytes}, key_)) {
        release(payload);
        return nullptr;
    }
    reinterpret_cast<Block*>(payload - sizeof(Block))->next = reinterpret_cast<Block*>(on_pages);
    return payload;
}

void* Heap::take(std::size_t bytes, std::size_t align) {
    if (bytes > total_ || align > total_) return nullptr;
    const std::size_t want = round_up(bytes == 0 ? 1 : bytes, grain) + sizeof(Block);
    for (Block** link = &free_; *link != nullptr; link = &(*link)->next) {
        Block* block = *link;
        // The payload's aligned address, far enough in that what is left before it is nothing or a block of its own.
        std::uintptr_t payload = round_up(block->address() + sizeof(Block), align);
        std::size_t lead = payload - sizeof(Block) - block->address();
        if (lead != 0 && lead < sizeof(Block) + grain) {
            payload = round_up(payload + sizeof(Block) + grain, align);
            lead = payload - sizeof(Block) - block->address();
        }
        if (block->size < lead + want) continue;

        Block* used = block;
        if (lead != 0) {
            used = new (reinterpret_cast<void*>(payload - sizeof(Block))) Block{block->size - lead, block->next};
            block->size = lead;
            link = &block->next;
        }
        if (used->size >= want + sizeof(Block) + grain) {
            *link = new (reinterpret_cast<void*>(used->address() + want)) Block{used->size - want, used->next};
            used->size = want;
        } else {
            *link = used->next;
        }
        used->next = reinterpret_cast<Block*>(in_use);
        used_ += used->size;
        if (used_ > peak_) peak_ = used_;
        return reinterpret_cast<void*>(payload);
    }
    return nullptr;
}

void Heap::release(void* pointer) {
    if (pointer == nullptr) return;
    const auto address = reinterpret_cast<std::uintptr_t>(pointer);
    if (address < begin_ + sizeof(Block) || address >= end_) platform::panic("heap: release of a foreign pointer");
    auto* block = reinterpret_cast<Block*>(address - sizeof(Block));
    if (block->next == reinterpret_cast<Block*>(on_pages)) {
        const std::size_t pages = (block->size - sizeof(Block)) / page_bytes * page_bytes;
        platform::set_page_key({static_cast<std::byte*>(pointer), pages}, no_key);  // the tables exist: it cannot fail
        block->next = reinterpret_cast<Block*>(in_use);
    }
    if (block->next != reinterpret_cast<Block*>(in_use)) platform::panic("heap: released twice or overwritten");
    used_ -= block->size;
    insert_free(block);
}

void Heap::insert_free(Block* block) {
    Block* before = nullptr;
    Block* after = free_;
    while (after != nullptr && after < block) {
        before = after;
        after = after->next;
    }
    block->next = after;
    (before == nullptr ? free_ : before->next) = block;
    if (after != nullptr && block->address() + block->size == after->address()) {
        block->size += after->size;
        block->next = after->next;
    }
    if (before != nullptr && before->address() + before->size == block->address()) {
        before->size += block->size;
        before->next = block->next;
    }
}

}  // namespace unibpf
