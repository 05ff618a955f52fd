// The tables of the program interface as JSON, for those who are not compiled with them: unibpf/formats/bpf.py is held equal.
#pragma once

#include <string>

namespace unibpf::run {

std::string opcodes_json();
std::string tables_json();

}  // namespace unibpf::run
