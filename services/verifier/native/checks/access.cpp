#include "services/verifier/native/checks/access.hpp"

#include <bit>

#include "services/verifier/native/findings/describe.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

using Outcome = std::optional<Finding>;

constexpr std::int64_t socket_bytes = 80;

struct AccessChecker {
    const View& view;
    const State& state = view.state;
    const Program& program = view.program;
    const Options& options = view.options;

    Outcome operator()(const Span& span) const {
        const Value& pointer = span.pointer;
        if (pointer.may_be_null()) {
            return view.fault(Rule::null_check, span.what + " through " + register_name(span.reg) + ", which may be null", span.reg, null_hint(pointer));
        }
        switch (pointer.kind) {
            case Kind::uninitialised: return view.fault(Rule::uninitialised_register, register_name(span.reg) + " is read before it is written", span.reg);
            case Kind::mixed: return view.fault(Rule::pointer_kind, register_name(span.reg) + " holds an address on some paths and something else on others", span.reg);
            case Kind::number: return number_as_pointer(span);
            case Kind::context: return view.fault(Rule::context_access, span.what + " needs memory other than the context", span.reg);
            case Kind::packet: return packet(span);
            case Kind::packet_address: return address(span);
            case Kind::stack: return stack(span);
            case Kind::map_value: return map_value(span);
            case Kind::map_key: return map_key(span);
            case Kind::record: return record(span);
            case Kind::socket: return socket(span);
            case Kind::complement: return view.fault(Rule::pointer_kind, span.what + " through the complement of an address", span.reg);
            case Kind::function: return view.fault(Rule::pointer_kind, span.what + " through the address of a function", span.reg);
            case Kind::map_handle:
            case Kind::inner_map:
                return view.fault(Rule::pointer_kind, span.what + " through a map handle", span.reg, "use `bpf_map_lookup_elem` to reach the map's values");
        }
        __builtin_unreachable();
    }

    Outcome number_as_pointer(const Span& span) const {
        if (span.pointer.is_constant() && span.pointer.delta == 0) return view.fault(Rule::null_check, span.what + " through " + register_name(span.reg) + ", which is null", span.reg);
        return view.fault(Rule::pointer_kind, span.what + " through " + register_name(span.reg) + ", which is a number and no address", span.reg);
    }

    Outcome address(const Span& span) const {
        if ((span.pointer.object & from_before) == 0) return view.fault(Rule::pointer_kind, span.what + " through half of an address", span.reg, "keep the pointer in a 64-bit variable");
        return view.fault(Rule::pointer_kind, span.what + " through a packet pointer from before a helper moved the packet", span.reg,
                          "load `data` and `data_end` anew after the call, and check them again");
    }

    Outcome packet(const Span& span) const {
        if (span.direction != Direction::read && options.platform == Platform::guest && !abi::describe(program.kind).writes_packet) {
            return view.fault(Rule::packet_readonly, span.what + " changes the packet in a " + std::string{abi::describe(program.kind).name}, span.reg);
        }
        if (span.direction == Direction::update) return view.fault(Rule::atomic_target, "atomic update of packet bytes", span.reg);
        // Both the metadata and the packet are readable, whichever begins first: drivers without metadata say `data + 1`
        // (xdp_set_data_meta_invalid, include/net/xdp.h).
        const bool starts_inside = not_before(span.pointer, Value::constant(0)) || not_before(span.pointer, Value::number(meta_start));
        const auto high = state.upper_difference(span.pointer, Value::number(packet_size));
        const bool ends_inside = high && *high <= -span.size;
        if (starts_inside && ends_inside) return std::nullopt;
        Finding finding = view.fault(Rule::packet_bounds, span.what + (starts_inside ? " may pass the end of the packet" : " may begin before the packet"), span.reg);
        finding.known[0] += ", " + describe_packet(state);
        finding.hint = packet_hint(span, starts_inside);
        return finding;
    }

    bool not_before(const Value& pointer, const Value& start) const {
        const auto distance = state.upper_difference(start, pointer);
        return distance && *distance <= 0;
    }

    std::string packet_hint(const Span& span, bool starts_inside) const {
        if (!starts_inside) return "make sure that the offset is not negative";
        const auto range = state.range(span.pointer);
        if (range.low == range.high) return "return before this line unless `data + " + std::to_string(range.high + span.size) + " <= data_end`";
        if (range.high > largest_packet) return "bound the offset (for example `if (offset > 1500) return ...;`), then compare the end of the access with `data_end`";
        return "return before this line unless the pointer + " + std::to_string(span.size) + " `<= data_end`";
    }

    Outcome stack(const Span& span) const {
        const auto range = state.range(span.pointer);
        if (range.low < -static_cast<std::int64_t>(Frame::size) || range.high > 0 || range.high + span.size > 0) {
            return view.fault(Rule::stack_bounds, span.what + " lies outside the stack frame of 512 bytes", span.reg);
        }
        if (span.direction == Direction::write) return std::nullopt;
        const Frame& frame = state.frame(span.pointer);
        const auto first = static_cast<unsigned>(range.low + Frame::size);
        const auto length = static_cast<unsigned>(range.high - range.low + span.size);
        if (frame.is_data(first, length)) return std::nullopt;
        if (frame.is_written(first, length)) return view.fault(Rule::pointer_leak, span.what + " takes the bytes of an address from the stack", span.reg);
        Finding finding = view.fault(Rule::stack_uninitialised, span.what + " may take stack bytes that were never written", span.reg);
        finding.known.push_back("first such byte: r10 - " + std::to_string(Frame::size - first_unwritten(frame, first, length)));
        return finding;
    }

    static unsigned first_unwritten(const Frame& frame, unsigned first, unsigned length) {
        unsigned at = first;
        while (at + 1 < first + length && frame.is_written(at, 1)) ++at;
        return at;
    }

    // The pointer may point into a value of any map of a set: all of them must allow the access.
    template <typename F>
    Outcome each_map(std::uint64_t maps, F&& check) const {
        for (; maps != 0; maps &= maps - 1) {
            if (auto fault = check(program.values_of(static_cast<std::size_t>(std::countr_zero(maps))))) return fault;
        }
        return std::nullopt;
    }

    bool inside(const Span& span, std::int64_t size) const {
        const auto range = state.range(span.pointer);
        return range.low >= 0 && range.high <= size && range.high + span.size <= size;
    }

    Finding outside(const Span& span, const std::string& object, std::int64_t size) const {
        Finding finding = view.fault(Rule::map_bounds, span.what + " may lie outside " + object, span.reg);
        finding.known[0] += ", which has " + bytes_text(static_cast<std::uint64_t>(size));
        return finding;
    }

    Outcome map_value(const Span& span) const {
        return each_map(span.pointer.object, [&](const Map& map) { return value_of(span, map); });
    }

    Outcome value_of(const Span& span, const Map& map) const {
        if (!inside(span, map.value_bytes)) {
            Finding finding = view.fault(Rule::map_bounds, span.what + " may lie outside the value of map `" + map.name + "`", span.reg);
            finding.known[0] += ", the value has " + bytes_text(map.value_bytes);
            return finding;
        }
        const bool devices = type_of(map, options.platform).holds == abi::Holds::devices;
        if (span.direction != Direction::read && (map.read_only() || devices)) {
            return view.fault(Rule::map_readonly, span.what + " changes " + (devices ? "an entry of device map `" : "read-only map `") + map.name + "`", span.reg);
        }
        return map.lock ? beside_lock(span, *map.lock) : std::nullopt;
    }

    Outcome beside_lock(const Span& span, std::uint32_t lock) const {
        const auto range = state.range(span.pointer);
        if (range.high + span.size <= lock || range.low >= std::int64_t{lock} + 4) return std::nullopt;
        return view.fault(Rule::spin_lock, span.what + " touches the value's `bpf_spin_lock`", span.reg, "leave the lock to `bpf_spin_lock` and `bpf_spin_unlock`");
    }

    Outcome map_key(const Span& span) const {
        if (span.direction != Direction::read) return view.fault(Rule::map_readonly, span.what + " changes the key of a map's entry", span.reg);
        return each_map(span.pointer.object, [&](const Map& map) {
            return inside(span, map.key_bytes) ? std::nullopt : Outcome{outside(span, "the key of map `" + map.name + "`", map.key_bytes)};
        });
    }

    Outcome record(const Span& span) const {
        const Reference* held = state.reference(static_cast<Site>(span.pointer.object));
        const std::int64_t size = held == nullptr ? 0 : held->bytes;
        return inside(span, size) ? std::nullopt : Outcome{outside(span, "the record", size)};
    }

    // struct bpf_sock (linux/bpf.h): whole fields or aligned parts of them.
    Outcome socket(const Span& span) const {
        const auto range = state.range(span.pointer);
        const bool inside = range.low == range.high && range.low >= 0 && range.low + span.size <= socket_bytes;
        const bool aligned = (span.size == 1 || span.size == 2 || span.size == 4) && range.low % span.size == 0;
        if (span.direction == Direction::read && inside && aligned) return std::nullopt;
        return view.fault(Rule::pointer_kind, span.what + " of a socket is no field of `struct bpf_sock`", span.reg, "read the fields of `struct bpf_sock` by their names");
    }
};

}  // namespace

Finding View::fault(Rule rule, std::string message, Register reg, std::string hint) const {
    return {rule, std::move(message), {describe_register(state, program, reg)}, std::move(hint), 0, static_cast<std::uint16_t>(1U << reg)};
}

std::string register_name(Register reg) { return "r" + std::to_string(reg); }

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

std::string null_hint(const Value& pointer) {
    if (pointer.kind == Kind::record) return "test the result of `bpf_ringbuf_reserve`: `if (!record) return ...;`";
    if (pointer.kind == Kind::socket) return "test the result of the look-up: `if (!socket) return ...;`";
    return pointer.kind == Kind::map_value || pointer.kind == Kind::inner_map ? "test the result of `bpf_map_lookup_elem`: `if (!value) return ...;`" : "";
}

std::optional<Finding> check_access(const View& view, const Span& span) { return AccessChecker{view}(span); }

}  // namespace unibpf::analyser
