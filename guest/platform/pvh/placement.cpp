// Where memory appears: everything that regions are cut from gets addresses that the boot seed chooses, so packets, heap, maps,
// stacks and native code lie elsewhere in each boot. Below 2 GiB, which the interfaces need: xdp_md has 32-bit addresses, calls of
// native code reach 2 GiB.
//
// The choice is one of 2 MiB steps between the end of memory (256 MiB at least) and 2 GiB, and of a few pages at the start: 13
// bits or so. What a program can learn of it tells nothing of the seed, because a hash stands between them. A boot image without a
// seed leaves memory where it is.
#include <bearssl.h>

#include <algorithm>
#include <cstring>

#include "guest/core/cbor.hpp"
#include "guest/platform/pvh/pvh.hpp"

namespace unibpf::platform::pvh {
namespace {

constexpr std::uint64_t slide_step = 2u << 20, slide_first = 256u << 20, slide_end = 2048u << 20;
constexpr std::uint64_t small_page = 4096, most_pages = 16, share_of_memory = 128;
constexpr std::uint64_t seed_key = 3;  // schemas/boot.cddl
constexpr std::string_view random_purpose = "unibpf.v1 placement";

Result<cbor::Bytes> find_seed() {
    const auto module = boot_module();
    // Sound: std::byte and std::uint8_t may alias.
    cbor::Reader reader{{reinterpret_cast<const std::uint8_t*>(module.data()), module.size()}};
    const std::uint64_t entries = TRY(reader.map());
    for (std::uint64_t i = 0; i < entries; ++i) {
        if (TRY(reader.uint()) == seed_key) return reader.bytes();
        TRY(reader.raw_item());
    }
    return reader.error("no seed");
}

struct Choice {
    std::uint64_t step, page;
};

Choice choose(cbor::Bytes seed) {
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, random_purpose.data(), random_purpose.size());
    br_sha256_update(&context, seed.data(), seed.size());
    std::uint64_t words[4];
    br_sha256_out(&context, words);
    __builtin_memset(&context, 0, sizeof context);
    asm volatile("" : : "r"(&context) : "memory");
    return {words[0], words[1]};
}

constexpr std::uint64_t up(std::uint64_t address) { return (address + slide_step - 1) / slide_step * slide_step; }

}  // namespace

void place_memory() {
    const auto seed = find_seed();
    if (!seed) return;
    const Range range = free_memory();
    const std::uint64_t begin = range.begin / slide_step * slide_step, bytes = up(range.end) - begin;
    const std::uint64_t first = std::max(slide_first, up(memory_end()));
    if (first + bytes >= slide_end) return;  // so much memory that there is no choice
    const Choice choice = choose(seed.value());
    const std::uint64_t steps = (slide_end - bytes - first) / slide_step;
    const std::uint64_t slide = first + choice.step % steps * slide_step - begin;
    move_pages(range, slide);
    const std::uint64_t pages = std::clamp<std::uint64_t>((range.end - range.begin) / share_of_memory / small_page, 1, most_pages);
    move_memory(slide, choice.page % pages * small_page);
}

}  // namespace unibpf::platform::pvh
