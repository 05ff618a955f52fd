// What must hold before an instruction runs, as data: a closed variant of assertions, read off the instruction alone.
// Whether they hold is the checker's business (checker.hpp), what the instruction does is the transformer's (transformer.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "guest/bpf/bundle/abi.hpp"
#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/program/program.hpp"
#include "services/verifier/native/state/value.hpp"

namespace unibpf::analyser {

enum class Direction : std::uint8_t {
    read,
    write,
    update
};

// The register was written on every path.
struct Initialised {
    Register reg;
};
// The register holds a number.
struct HoldsNumber {
    Register reg;
};
// r10 is not written.
struct NotFramePointer {
    Register reg;
};
// The operation is allowed on what its operands hold: numbers, or pointer plus, minus number, or pointer minus pointer.
struct Computable {
    Compute compute;
};
// The two sides may be compared.
struct Comparable {
    Branch branch;
};
// [base + offset, + bytes) may be accessed. `sign`: what is read is extended by its sign, so it must be a number.
struct Accessible {
    Register base;
    std::int16_t offset;
    std::uint8_t bytes;
    Direction direction;
    bool sign = false;
};
// What is stored there may be stored there.
struct Storable {
    Register base;
    std::uint8_t bytes;
    Register src;
};
// Platform and kind offer the helper.
struct Callable {
    std::uint32_t helper;
};
// Argument `position` (0 is r1) of a helper call is what its row asks for.
struct Argument {
    const abi::HelperRow* row;
    std::uint8_t position;
};
// The function argument is the one that the graph has at this call.
struct CallsBack {
    Register reg;
    std::uint32_t target;
};
// What an earlier call at this site gave was given back.
struct FreeSite {
    Site site;
};
// Nothing that must be given back is held.
struct NothingHeld {
    const char* where;
};
// No lock is held.
struct Unlocked {
    const char* where;
};
// The call may be made where it stands: not from inside a callback.
struct OutsideCallback {
    bool is_outside;
};
// The 64-bit load names a map, or an offset into the only value of one.
struct NamesMap {
    std::uint32_t map;
    bool is_value;
    std::uint32_t offset;
};
// The function's result is a number.
struct ReturnsNumber {
    Role role;
};

using Assertion = std::variant<Initialised, HoldsNumber, NotFramePointer, Computable, Comparable, Accessible, Storable, Callable, Argument, CallsBack,
                               FreeSite, NothingHeld, Unlocked, OutsideCallback, NamesMap, ReturnsNumber>;

class Assertions {
  public:
    void add(const Assertion& assertion) { items_[count_++] = assertion; }
    const Assertion* begin() const { return items_.data(); }
    const Assertion* end() const { return items_.data() + count_; }

  private:
    std::array<Assertion, 12> items_{};
    std::size_t count_ = 0;
};

// Where an instruction stands.
struct Where {
    Role role;            // of its function
    bool in_callback;     // its function or one that calls it is a callback
    Site site;
    std::uint32_t callee; // of a call that calls back: the function that the graph has there
    const abi::Tables& tables;
};
Assertions required(const Insn& insn, const Where& where);

}  // namespace unibpf::analyser
