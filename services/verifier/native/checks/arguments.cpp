// Arguments of helper calls, each by what its row in the platform's table asks for.
#include <algorithm>
#include <bit>

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/checks/format.hpp"
#include "services/verifier/native/findings/describe.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

using Outcome = std::optional<Finding>;
using abi::Holds;

constexpr std::int64_t ipv4_header_bytes = 20, ipv6_header_bytes = 40, tcp_header_bytes = 20;

// What the map is, for messages.
std::string noun(const abi::MapTypeRow& type) {
    switch (type.holds) {
        case Holds::values: return "map";
        case Holds::programs: return "program array";
        case Holds::devices: return "device map";
        case Holds::maps: return "map of maps";
        case Holds::records: return "ring buffer";
        case Holds::events: return "perf event array";
        case Holds::items: return std::string{type.name};
    }
    __builtin_unreachable();
}

// What a helper's row cannot say of the maps that it takes (Linux: what a map type's operations leave out).
bool takes(abi::Helper helper, const abi::MapTypeRow& type) {
    switch (helper) {
        case abi::Helper::map_lookup_elem: return type.type != abi::MapType::cpumap;
        case abi::Helper::for_each_map_elem: return type.index != abi::Index::prefix;
        case abi::Helper::map_pop_elem: return type.type != abi::MapType::bloom_filter;
        case abi::Helper::map_lookup_percpu_elem:
            return type.type == abi::MapType::percpu_hash || type.type == abi::MapType::percpu_array || type.type == abi::MapType::lru_percpu_hash;
        default: return true;
    }
}

struct ArgumentChecker {
    const View& view;
    const abi::HelperRow& row;
    std::uint8_t position;

    Register reg() const { return static_cast<Register>(position + 1); }
    const Value& value() const { return view.state.registers[reg()]; }
    std::string what() const { return "argument " + std::to_string(position + 1) + " of `" + std::string{row.name} + "`"; }
    Finding fault(const std::string& text, const std::string& hint = "") const { return view.fault(Rule::helper_argument, what() + " " + text, reg(), hint); }

    // The maps that an earlier argument may name.
    std::vector<const Map*> maps() const {
        for (std::uint8_t i = 0; i < row.arguments.size(); ++i) {
            if (row.arguments[i] == abi::Argument::map) return named_maps(view.program, view.state.registers[i + 1]);
        }
        return {};
    }

    Outcome run() const {
        if (auto finding = of_kind()) return finding;
        return option();
    }

    // A guest that can do nothing with a flag or size says so when it runs; of one that is known before, it is said before.
    Outcome option() const {
        if (view.options.platform != Platform::guest || !value().is_constant()) return std::nullopt;
        const abi::OptionRow* rule = abi::find_option(row.helper, position);
        const auto given = static_cast<std::uint64_t>(value().delta);
        if (rule == nullptr) return std::nullopt;
        if (rule->takes(given)) return lock_flag(given);
        const auto number = static_cast<std::int64_t>(given);
        return view.fault(Rule::helper_option, what() + " is " + std::to_string(number) + ", which guests do not take: expected " + std::string{rule->expected}, reg(), std::string{rule->hint});
    }

    Outcome lock_flag(std::uint64_t flags) const {
        if (row.helper != abi::Helper::map_update_elem || (flags & abi::update_lock) == 0) return std::nullopt;
        for (const Map* map : maps()) {
            if (!map->lock) return view.fault(Rule::helper_option, what() + " has BPF_F_LOCK, but the values of map `" + map->name + "` have no lock", reg(), "leave it out, or give the value a `struct bpf_spin_lock`");
        }
        return std::nullopt;
    }

    Outcome of_kind() const {
        const abi::Argument wanted = row.arguments[position];
        if (wanted == abi::Argument::any) return std::nullopt;
        if (!value().is_readable()) return view.fault(Rule::uninitialised_register, what() + " was not written on every path", reg());
        switch (wanted) {
            case abi::Argument::none:
            case abi::Argument::any: return std::nullopt;
            case abi::Argument::number: return value().is_number() ? std::nullopt : Outcome{fault("must be a number")};
            case abi::Argument::context: return value().kind == Kind::context && value().delta == 0 ? std::nullopt : Outcome{fault("must be the program's context")};
            case abi::Argument::map: return handle();
            case abi::Argument::map_key: return of_each_map(&Map::key_bytes, Direction::read);
            case abi::Argument::map_value: return of_each_map(&Map::value_bytes, Direction::read);
            case abi::Argument::map_value_write: return of_each_map(&Map::value_bytes, Direction::write);
            case abi::Argument::memory_read: return sized(false, Direction::read);
            case abi::Argument::memory_read_or_null: return sized(true, Direction::read);
            case abi::Argument::memory_write: return sized(false, Direction::write);
            case abi::Argument::memory_write_or_null: return sized(true, Direction::write);
            case abi::Argument::memory_update: return updated();
            case abi::Argument::size: return size(1);
            case abi::Argument::size_or_zero: return size(0);
            case abi::Argument::constant_size: return constant_size();
            case abi::Argument::record: return reference(Kind::record, "a record that `bpf_ringbuf_reserve` gave");
            case abi::Argument::socket: return reference(Kind::socket, "a socket that a look-up gave");
            case abi::Argument::long_write: return accessible(8, Direction::write);
            case abi::Argument::u32_update: return both(4);
            case abi::Argument::string: return string();
            case abi::Argument::function: return value().kind == Kind::function ? std::nullopt : Outcome{fault("must be a function of the program")};
            case abi::Argument::callback_context: return callback_context();
            case abi::Argument::lock: return lock();
            case abi::Argument::ipv4_header: return accessible(ipv4_header_bytes, Direction::read);
            case abi::Argument::ipv6_header: return accessible(ipv6_header_bytes, Direction::read);
            case abi::Argument::tcp_header: return accessible(tcp_header_bytes, Direction::read);
        }
        __builtin_unreachable();
    }

    // --- maps

    Outcome handle() const {
        if (value().kind != Kind::map_handle && value().kind != Kind::inner_map) return fault("must be a map");
        if (value().may_be_null()) return view.fault(Rule::null_check, what() + " may be null", reg(), null_hint(value()));
        bool gives_maps = false, gives_values = false;
        for (const Map* map : named_maps(view.program, value())) {
            const abi::MapTypeRow& type = type_of(*map, view.options.platform);
            if ((row.maps & abi::holding(type.holds)) == 0 || !takes(row.helper, type)) {
                return view.fault(Rule::helper_argument, "`" + std::string{row.name} + "` cannot be used on " + noun(type) + " `" + map->name + "`", reg());
            }
            if (row.has(abi::writes_map) && map->read_only()) return view.fault(Rule::map_readonly, what() + " is read-only map `" + map->name + "`", reg());
            (type.holds == Holds::maps ? gives_maps : gives_values) = true;
        }
        if (gives_maps && gives_values) return fault("is a map of maps on some paths and another map on others");
        return std::nullopt;
    }

    Outcome of_each_map(std::uint32_t Map::* bytes, Direction direction) const {
        for (const Map* map : maps()) {
            if (map->*bytes == 0) continue;
            if (auto finding = accessible(map->*bytes, direction)) return finding;
        }
        return std::nullopt;
    }

    // --- memory

    Outcome accessible(std::int64_t bytes, Direction direction) const {
        return check_access(view, {value(), bytes, reg(), direction, what() + " (" + bytes_text(static_cast<std::uint64_t>(bytes)) + ")"});
    }
    // Not atomically, so packets are good enough.
    Outcome both(std::int64_t bytes) const {
        if (auto finding = accessible(bytes, Direction::read)) return finding;
        return accessible(bytes, Direction::write);
    }

    static constexpr std::int64_t largest_size = 1 << 29;

    Outcome size(std::int64_t least) const {
        if (!value().is_number()) return fault("must be a number of bytes");
        const auto range = view.state.range(value());
        if (range.low < least) return fault("may be less than " + std::to_string(least), "bound the size from below before the call");
        if (range.high <= largest_size) return std::nullopt;
        const auto room = position == 0 ? std::nullopt : room_of(view.state.registers[reg() - 1]);
        if (!room) return fault("has no useful upper bound", "bound the size from above before the call");
        return fault("has no useful upper bound, there " + are(*room), bound_hint(*room));
    }

    static std::string are(std::int64_t room) { return (room == 1 ? "is " : "are ") + bytes_text(static_cast<std::uint64_t>(room)); }
    static std::string bound_hint(std::int64_t room) {
        return "bound the length before the call, `if (length > " + std::to_string(room) + ") return ...;`";
    }

    // The bytes from a pointer to the end of what it points into, where that has an end that is known.
    std::optional<std::int64_t> room_of(const Value& pointer) const {
        if (pointer.may_be_null()) return std::nullopt;
        std::int64_t end = 0;
        if (pointer.kind == Kind::map_value && std::has_single_bit(pointer.object)) {
            end = view.program.values_of(static_cast<std::size_t>(std::countr_zero(pointer.object))).value_bytes;
        } else if (pointer.kind != Kind::stack) {
            return std::nullopt;
        }
        const auto range = view.state.range(pointer);
        const bool inside = range.high <= end && range.high > -(std::int64_t{1} << 32);
        return inside ? std::optional{end - range.high} : std::nullopt;
    }

    // A length that is not known, of memory whose end is: said of the length.
    Outcome of_variable_length(const Value& length, Direction direction) const {
        const auto range = view.state.range(length);
        Outcome found = accessible(range.high, direction);
        const auto room = room_of(value());
        if (!found || range.low == range.high || !room || range.high <= *room) return found;
        const std::string bytes = bytes_text(static_cast<std::uint64_t>(range.high));
        found->message = "the length of " + what() + " is not bounded by its buffer: it may be " + bytes + ", there " + are(*room);
        found->hint = bound_hint(*room);
        found->known.push_back(describe_register(view.state, view.program, static_cast<Register>(reg() + 1)));
        found->registers = static_cast<std::uint16_t>(found->registers | 1U << (reg() + 1));
        return found;
    }

    Outcome constant_size() const {
        if (!value().is_constant()) return fault("must be a number that is known when the program is verified", "pass `sizeof` of the record");
        const auto bytes = static_cast<std::int64_t>(value().delta);
        return bytes > 0 && bytes <= largest_size ? std::nullopt : Outcome{fault("is no size that a record can have")};
    }

    // The size is in the next register; it is checked on its own.
    Outcome sized(bool or_null, Direction direction) const {
        const auto length = view.state.registers[reg() + 1].as_number();
        if (!length) return std::nullopt;
        const auto range = view.state.range(*length);
        if (or_null && value().is_null()) return range.high <= 0 ? std::nullopt : Outcome{fault("is null, but its size may not be 0")};
        if (range.low < 0 || range.high > largest_size) return std::nullopt;
        if (range.high == 0) return std::nullopt;
        if (prints() && value().kind == Kind::stack) return printed(range.high);
        if (range.low == range.high || value().kind != Kind::packet) return of_variable_length(*length, direction);
        return packet_of_variable_length(*length, direction);
    }

    // --- values to print: addresses among them, for %s, %pI4 and the like. Reading is checked as it happens: by bounds::allowed in
    // guests, by copy_from_kernel_nofault in Linux.

    bool prints() const {
        const bool values = (row.helper == abi::Helper::trace_vprintk && position == 2) || (row.helper == abi::Helper::snprintf && position == 3);
        return values && !value().may_be_null();
    }

    Outcome printed(std::int64_t bytes) const {
        const auto range = view.state.range(value());
        const bool inside = range.low == range.high && range.low >= -static_cast<std::int64_t>(Frame::size) && range.low + bytes <= 0;
        const auto start = static_cast<unsigned>(range.low + Frame::size), length = static_cast<unsigned>(bytes);
        if (!inside || !view.state.frame(value()).is_written(start, length)) return accessible(bytes, Direction::read);
        // What goes to the console may be addresses, as those that bpf_trace_printk takes in registers.
        if (row.helper == abi::Helper::trace_vprintk) return std::nullopt;
        const std::vector<Printed> conversions = format_values();
        for (unsigned i = 0; i * 8 < length; ++i) {
            const Printed conversion = i < conversions.size() ? conversions[i] : Printed::number;
            if (!is_printable(start + i * 8, std::min(length - i * 8, 8U), conversion)) return accessible(bytes, Direction::read);
        }
        return std::nullopt;
    }

    std::vector<Printed> format_values() const {
        const Value& text = view.state.registers[3];
        if (text.kind != Kind::map_value || text.symbol != zero_symbol || !std::has_single_bit(text.object)) return {};
        const Map& map = view.program.values_of(static_cast<std::size_t>(std::countr_zero(text.object)));
        if (!map.is_constant() || text.delta < 0 || text.delta >= static_cast<std::int64_t>(map.initial.size())) return {};
        const auto first = map.initial.begin() + text.delta;
        return printed_by(std::string{first, std::find(first, map.initial.end(), 0)});
    }

    // One value for bpf_snprintf, whose text the program gets: a number, or an address of bytes that the program may know.
    bool is_printable(unsigned start, unsigned bytes, Printed conversion) const {
        const Frame& frame = view.state.frame(value());
        if (frame.is_data(start, bytes)) return true;
        const Value* address = frame.cell_at(start, 8);
        if (address == nullptr || conversion == Printed::number) return false;
        if (conversion == Printed::string && address->kind == Kind::stack) return is_text(*address) && !address->may_be_null();
        const std::int64_t read = conversion == Printed::string     ? 1
                                  : conversion == Printed::address4 ? 4
                                                                    : 16;
        return !check_access(view, {*address, read, reg(), Direction::read, what()});
    }

    // Numbers up to a byte that is known to be 0: beyond it there may be addresses.
    bool is_text(const Value& address) const {
        const auto range = view.state.range(address);
        if (range.low != range.high || range.low < -static_cast<std::int64_t>(Frame::size)) return false;
        const Frame& frame = view.state.frame(address);
        for (std::int64_t at = range.low + Frame::size; at < static_cast<std::int64_t>(Frame::size); ++at) {
            const auto place = static_cast<unsigned>(at);
            if (!frame.is_data(place, 1) || is_printed_over(address, at)) return false;
            if (frame.constant_at(place, 1) == 0U) return true;
        }
        return false;
    }

    // The output may be written there before the text has been read: without its NUL byte it goes on into addresses.
    bool is_printed_over(const Value& text, std::int64_t at) const {
        const Value &output = view.state.registers[1], &room = view.state.registers[2];
        if (output.kind != Kind::stack || output.object != text.object) return false;
        const auto start = view.state.range(output);
        return at >= start.low + static_cast<std::int64_t>(Frame::size) && at < start.high + static_cast<std::int64_t>(Frame::size) + view.state.range(room).high;
    }

    Outcome updated() const {
        if (auto finding = sized(false, Direction::read)) return finding;
        return sized(false, Direction::write);
    }

    // pointer + length <= data_end, with the two related as far as the state knows.
    Outcome packet_of_variable_length(const Number& length, Direction direction) const {
        State scratch = view.state;
        const Value end = scratch.moved(value(), length, false);
        const View inner{scratch, view.program, view.options};
        if (auto start = check_access(inner, {value(), 0, reg(), direction, what()})) return start;
        return check_access(inner, {end, 0, reg(), direction, what()});
    }

    Outcome string() const {
        const Value& text = value();
        const bool known = text.kind == Kind::map_value && !text.may_be_null() && text.symbol == zero_symbol && std::has_single_bit(text.object);
        const Map* map = known ? &view.program.values_of(static_cast<std::size_t>(std::countr_zero(text.object))) : nullptr;
        if (map == nullptr || !map->is_constant()) return fault("must be a string constant", "declare it `static const char ...[]`");
        const auto size = static_cast<std::int64_t>(map->initial.size());
        const bool ends = text.delta >= 0 && text.delta < size && std::find(map->initial.begin() + text.delta, map->initial.end(), 0) != map->initial.end();
        return ends ? std::nullopt : Outcome{fault("must end with a NUL byte")};
    }

    // --- what is no memory

    Outcome reference(Kind kind, const std::string& expected) const {
        if (value().kind != kind) return fault("must be " + expected);
        if (value().may_be_null()) return view.fault(Rule::null_check, what() + " may be null", reg(), null_hint(value()));
        const auto range = view.state.range(value());
        return range.low == 0 && range.high == 0 ? std::nullopt : Outcome{fault("must point to the beginning of what was given")};
    }

    Outcome callback_context() const {
        if (value().is_null()) return std::nullopt;
        const bool on_guest = view.options.platform == Platform::guest && value().kind == Kind::map_value;
        if ((value().kind == Kind::stack || on_guest) && !value().may_be_null()) return std::nullopt;
        return fault("must be a pointer into the stack, or 0");
    }

    Outcome lock() const {
        if (value().kind != Kind::map_value) return fault("must be the `bpf_spin_lock` of a map value");
        if (value().may_be_null()) return view.fault(Rule::null_check, what() + " may be null", reg(), null_hint(value()));
        const bool known = std::has_single_bit(value().object) && value().symbol == zero_symbol;
        const Map* map = known ? &view.program.values_of(static_cast<std::size_t>(std::countr_zero(value().object))) : nullptr;
        if (map == nullptr || !map->lock || value().delta != *map->lock) return fault("must be the `bpf_spin_lock` of a map value");
        if (!row.has(abi::unlocks)) return std::nullopt;
        const Lock& held = view.state.lock;
        if (held.held == Lock::Held::yes && value().identity != no_site && value().identity == held.identity) return std::nullopt;
        const std::string why = held.held == Lock::Held::no ? "is not locked" : "is not known to be the lock that is held";
        return view.fault(Rule::spin_lock, what() + " " + why, reg(), "unlock the value that was locked, once");
    }
};

}  // namespace

std::vector<const Map*> named_maps(const Program& program, const Value& handle) {
    std::vector<const Map*> result;
    if (handle.kind != Kind::map_handle && handle.kind != Kind::inner_map) return result;
    for (std::uint64_t maps = handle.object; maps != 0; maps &= maps - 1) {
        const Map& map = program.maps[static_cast<std::size_t>(std::countr_zero(maps))];
        result.push_back(handle.kind == Kind::inner_map ? map.inner.get() : &map);
    }
    return result;
}

std::optional<Finding> check_argument(const View& view, const Argument& argument) {
    return ArgumentChecker{view, *argument.row, argument.position}.run();
}

}  // namespace unibpf::analyser
