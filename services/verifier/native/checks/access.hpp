// May a range of bytes be read, written or updated? Shared by instructions and by helper arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "services/verifier/native/checks/assertions.hpp"
#include "services/verifier/native/findings/finding.hpp"
#include "services/verifier/native/state/state.hpp"

namespace unibpf::analyser {

// What a check sees.
struct View {
    const State& state;
    const Program& program;
    const Options& options;

    // A finding about a register, with what is known of it.
    Finding fault(Rule rule, std::string message, Register reg, std::string hint = "") const;
};

// [pointer, pointer + size); `what` starts the message, `reg` holds the pointer.
struct Span {
    Value pointer;
    std::int64_t size;
    Register reg;
    Direction direction;
    std::string what;
};

std::optional<Finding> check_access(const View& view, const Span& span);
// One argument of a helper call.
std::optional<Finding> check_argument(const View& view, const Argument& argument);

// The maps that a handle may be; none if it is no handle.
std::vector<const Map*> named_maps(const Program& program, const Value& handle);

std::string register_name(Register reg);
std::string bytes_text(std::uint64_t bytes);  // "1 byte", "4 bytes"
// What to write where a pointer may be null.
std::string null_hint(const Value& pointer);

}  // namespace unibpf::analyser
