// Standard output of the runners.
#pragma once

#include <cstdio>

namespace unibpf::run {

// Where reports go, standard output. The guest's console (bpf_trace_printk) writes to descriptor 1, which becomes standard error.
std::FILE* separate_output_from_console();

}  // namespace unibpf::run
