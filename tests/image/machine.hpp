// What the test image asks of the machine it runs on, besides the platform.
#pragma once

#include <cstdint>

namespace unibpf::test_image {

// In memory that nobody uses, made writable: a word for programs to write over.
volatile std::uint64_t& canary();

std::uint64_t writable_code_pages();  // pages that can be written and executed; there must be none, ever

// Says where things lie that programs may be told to write to: lines `at NAME 0xADDRESS`. Where addresses are always the same,
// tests know them.
void say_addresses();

}  // namespace unibpf::test_image
