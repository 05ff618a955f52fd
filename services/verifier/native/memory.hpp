// The memory limit of the process. Linked into the executable only: it replaces the global allocation functions.
//
// The kernel's limit on address space alone would strike anywhere, in start-up or in the middle of the report. So the heap is
// counted: past the limit `new` throws std::bad_alloc, which ends in the verdict `gave_up`; the report itself is made after
// `lift`, from what the unwound analysis gave back. The kernel's limit stays as a second fence, wide enough never to be first.
#pragma once

#include <cstddef>

namespace unibpf::analyser::memory {

// Stack, code and the allocator's own losses, on top of the heap.
inline constexpr std::size_t overhead = 64 << 20;

void limit(std::size_t bytes);
void lift();

}  // namespace unibpf::analyser::memory
