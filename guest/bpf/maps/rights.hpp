// Control work on what an isolated program writes, with that program's rights: whatever stands there, no other page changes.
#pragma once

#include <cstdint>
#include <optional>

#include "guest/platform/platform.hpp"

namespace unibpf {

// Where the answer of such work is put: a word that any program may write, so only a number for whoever gets it.
extern std::uint64_t answer_with_rights;

// What `work` answers; nothing if a fault ended it. `work` may write nothing but pages of `key` and its own stack. Under NoPreempt on
// the control stack, or at boot. For the key `guest` it just runs.
template <typename Work>
std::optional<std::uint64_t> with_rights(platform::PageKey key, Work&& work) {
    if (key == platform::PageKey::guest) return work();
    const auto run = [](void* self) { answer_with_rights = (*static_cast<Work*>(self))(); };
    if (!platform::run_isolated(key, run, &work)) return std::nullopt;
    return answer_with_rights;
}

}  // namespace unibpf
