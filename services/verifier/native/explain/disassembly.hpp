// An instruction as people read it, in the notation of LLVM's BPF back end: `r3 = *(u16 *)(r1 + 12)`, `if r2 > r4 goto 57`.
// Targets are absolute slot numbers, as everywhere in the analyser; maps and helpers appear by name.
#pragma once

#include <string>

#include "services/verifier/native/program/program.hpp"

namespace unibpf::analyser {

std::string disassemble(const Insn& insn, const Program& program);

}  // namespace unibpf::analyser
