// The x86-64 JIT: loaded code -> native code that behaves as the trusting interpreter does.
//
// Same r0, packet, maps, budget (charged at jumps backwards and at calls, by the same numbers) and call depth. What nobody reads
// is not computed, so registers are the interpreter's only where the program reads them.
// W^X: the code is written to pages that are not executable, sealed, and only then run (platform::code_*). Compiling happens on
// the control stack; native code runs on the main stack like the interpreter.
// `plan` what is known before code is written · `operations` single instructions · `control` jumps, calls, budget · `patterns`
// several instructions at once · `emitter` encodings · `layout` jumps, once all else is written.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "guest/bpf/jit/guard.hpp"
#include "guest/bpf/jit/plan.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/native.hpp"
#include "guest/bpf/bundle/validate.hpp"
#include "guest/core/result.hpp"

namespace unibpf::jit {

// Rules: `memory` when there are no code pages (or no heap) for it, `load` when sealing fails. `features`: what the code may use of
// the CPU; tests say less than there is.
// Unless the guard is off, no byte sequence of the pages gives rights back (guard.hpp); rule `load` when that cannot be had.
Result<NativeCode> compile(std::span<const Instruction> code, const ProgramShape& shape, Features features = Features::of_this_cpu(),
                           Guard guard = Guard::off);

void after_stop(Machine& machine, Stop stop);

// Runs the program's native code, which must exist; results as interpret_trusting leaves them, but the trap's place is unknown.
// Generated code has no type signature in front of it, which the sanitizer's check of indirect calls would read.
#if defined(__clang__)
[[clang::no_sanitize("function")]]
#endif
inline Stop run(Machine& machine) {
    const NativeCode::Ended ended = machine.program.native().entry()(&machine.context);
    machine.r0 = ended.r0;
    const auto stop = static_cast<Stop>(ended.stop);
    if (stop != Stop::exit) [[unlikely]]
        after_stop(machine, stop);
    return stop;
}

}  // namespace unibpf::jit
