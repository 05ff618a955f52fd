// The x86-64 JIT: loaded code -> native code that behaves as the trusting interpreter does, instruction for instruction.
//
// Same r0, packet, maps, budget (charged at back-edges, calls and returns by the same numbers) and call depth.
// W^X: the code is written to pages that are not executable, sealed, and only then run (platform::code_*). Compiling happens on
// the control stack; native code runs on the main stack like the interpreter.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "guest/bpf/decode.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/native.hpp"
#include "guest/core/result.hpp"

namespace unibpf::jit {

// Rules: `memory` when there are no code pages (or no heap) for it, `load` when sealing fails.
Result<NativeCode> compile(std::span<const Instruction> code, const ProgramShape& shape);

// Runs the program's native code, which must exist; results as interpret_trusting leaves them, but the trap's place is unknown.
Stop run(Machine& machine);

}  // namespace unibpf::jit
