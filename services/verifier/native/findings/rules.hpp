// The rules: why a program is not accepted. Ids are stable; docs, tests and the reports' readers rely on them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace unibpf::analyser {

enum class Rule : std::uint8_t {
    packet_bounds,
    packet_readonly,
    null_check,
    stack_bounds,
    stack_uninitialised,
    context_access,
    context_write,
    pointer_kind,
    pointer_arithmetic,
    pointer_leak,
    helper_argument,
    helper_unknown,
    helper_option,
    helper_kind,
    map_bounds,
    map_readonly,
    uninitialised_register,
    frame_pointer,
    return_value,
    termination,
    instruction_budget,
    fall_through,
    call_depth,
    atomic_target,
    reference_leak,
    spin_lock,
    malformed,
    unsupported,
    limits,
};

struct RuleRow {
    Rule rule;
    std::string_view id;
    std::string_view meaning;
    std::string_view hint;  // what to write instead, when the finding has nothing better
    bool is_about_the_platform = false;  // nothing is wrong but that the platform lacks it: the verdict is `unsupported`
};

inline constexpr std::array<RuleRow, 29> rules = {{
    {Rule::packet_bounds, "packet-bounds", "an access to the packet lies between data and data_end on every path",
     "compare the end of the access with `data_end` before this line and return if it lies past it"},
    {Rule::packet_readonly, "packet-readonly", "only a rewriter changes packet bytes",
     "verify, push and run an `xdp` program with `--kind rewriter`, or put it into section `unibpf/rewriter`"},
    {Rule::null_check, "null-check", "a pointer that may be null is compared with null before it is used",
     "return before this line if the pointer is null"},
    {Rule::stack_bounds, "stack-bounds", "an access to the stack lies inside the 512 bytes of its frame",
     "keep large buffers in an array map with one entry"},
    {Rule::stack_uninitialised, "stack-uninitialised", "stack bytes are written before they are read",
     "initialise the variable, padding included, for example with `__builtin_memset(&v, 0, sizeof(v))`"},
    {Rule::context_access, "context-access", "the context is read by whole 4-byte fields of `struct xdp_md`",
     "read the fields of `struct xdp_md` by their names"},
    {Rule::context_write, "context-write", "the context is read-only", "write to the packet or to a map instead"},
    {Rule::pointer_kind, "pointer-kind", "a register holds what the instruction needs on every path",
     "make sure that every path to this line leaves the same kind of value in the register"},
    {Rule::pointer_arithmetic, "pointer-arithmetic", "pointers are only moved by numbers and subtracted from their own kind",
     "add or subtract a number whose range is known"},
    {Rule::pointer_leak, "pointer-leak", "addresses do not reach maps, packets, other pointers' comparisons or the result",
     "store the value that the pointer points to, not the pointer"},
    {Rule::helper_argument, "helper-argument", "a helper gets the arguments that its table row names", "pass what the helper asks for"},
    {Rule::helper_unknown, "helper-unknown", "the platform offers the helper", "call only helpers that the platform offers", true},
    {Rule::helper_option, "helper-option", "flags and sizes that are known to a call are ones that the guest's helper takes",
     "pass what the helper takes", true},
    {Rule::helper_kind, "helper-kind", "the helper is allowed for the program's kind",
     "verify, push and run an `xdp` program with `--kind rewriter`, or put it into section `unibpf/rewriter`"},
    {Rule::map_bounds, "map-bounds", "an access to a map value lies inside the value", "bound the index before this line"},
    {Rule::map_readonly, "map-readonly", "read-only maps are not written", "make the variable non-const, or do not write to it"},
    {Rule::uninitialised_register, "uninitialised-register", "a register is written before it is read",
     "initialise the variable on every path to this line"},
    {Rule::frame_pointer, "frame-pointer", "r10 is read-only", "copy r10 into another register first"},
    {Rule::return_value, "return-value", "the program returns a number", "return an XDP action or an output port"},
    {Rule::termination, "termination", "every loop has a bound that can be proved",
     "bound the loop by a constant, for example `for (int i = 0; i < 64; i++)`"},
    {Rule::instruction_budget, "instruction-budget", "one packet costs no more instructions than the guest gives it",
     "bound this loop lower, or give guests a larger `instruction_budget` and verify with that, `--budget N`"},
    {Rule::fall_through, "fall-through", "control never leaves a function but by exit",
     "end every path of the function with a return"},
    {Rule::call_depth, "call-depth", "calls nest at most 8 deep and never recurse", "turn the recursion into a bounded loop"},
    {Rule::atomic_target, "atomic-target", "atomic operations work on map values and on the stack",
     "use an atomic only on a map value"},
    {Rule::reference_leak, "reference-leak", "a reserved record is submitted or discarded on every path",
     "call `bpf_ringbuf_submit` or `bpf_ringbuf_discard` on every path, once"},
    {Rule::spin_lock, "spin-lock", "between `bpf_spin_lock` and `bpf_spin_unlock` of the same value nothing is called and nothing returns",
     "call `bpf_spin_unlock` before this line"},
    {Rule::malformed, "malformed", "the bundle is well-formed and every instruction decodes", "build the bundle anew from its object"},
    {Rule::unsupported, "unsupported", "the analyser knows what the instruction does",
     "rewrite the program without this feature", true},
    {Rule::limits, "limits", "the analysis ends within its time and memory", "split the program, or raise the limits"},
}};

constexpr const RuleRow& describe(Rule rule) { return rules[static_cast<std::size_t>(rule)]; }

namespace detail {
constexpr bool rules_are_in_order() {
    for (std::size_t i = 0; i < rules.size(); ++i) {
        if (static_cast<std::size_t>(rules[i].rule) != i) return false;
    }
    return true;
}
static_assert(rules_are_in_order());
}  // namespace detail

}  // namespace unibpf::analyser
