#include "services/verifier/native/fixpoint/work.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

#include "services/verifier/native/checks/access.hpp"
#include "services/verifier/native/program/platform.hpp"

namespace unibpf::analyser {
namespace {

using abi::cost::Units;
using abi::cost::Work;

constexpr Units unknown_size = UINT32_MAX;
constexpr unsigned first_packet_bit = 32;             // of the flags of bpf_perf_event_output
constexpr std::uint64_t most_packet_bytes = 0xfffff;  // that they can name

struct Call {
    const State& state;
    const abi::HelperRow& row;
    const Program& program;

    Units most(Register reg) const {
        const auto number = state.registers[reg].as_number();
        return number ? std::min<Units>(state.scalar(*number).u64.high, unknown_size) : unknown_size;
    }

    Units sizes() const {
        Units sum = 0;
        for (std::uint8_t i = 0; i < row.arguments.size(); ++i) {
            const abi::Argument argument = row.arguments[i];
            if (argument == abi::Argument::size || argument == abi::Argument::size_or_zero) sum += abi::cost::bytes(most(static_cast<Register>(i + 1)));
        }
        return sum;
    }

    Units of_packet() const {
        const auto flags = state.registers[3].as_number();
        if (!flags) return abi::cost::bytes(most_packet_bytes);
        const Scalar scalar = state.scalar(*flags);
        if (scalar.is_constant()) return abi::cost::bytes(scalar.u64.low >> first_packet_bit & most_packet_bytes);
        return scalar.u64.high >> first_packet_bit == 0 ? 0 : abi::cost::bytes(most_packet_bytes);
    }

    Units entries() const {
        Units most_entries = 0;
        const Value& handle = state.registers[1];
        for (const Map* map : named_maps(program, handle)) most_entries = std::max<Units>(most_entries, map->max_entries);
        const bool known = handle.kind == Kind::map_handle && most_entries != 0;
        return abi::cost::entries(known ? most_entries : abi::max_entries);
    }

    // The text at a known place of constant data, up to `size` bytes or its NUL.
    std::optional<std::string_view> constant_text(Register reg) const {
        const Value& text = state.registers[reg];
        const bool known = text.kind == Kind::map_value && !text.may_be_null() && text.symbol == zero_symbol && std::has_single_bit(text.object);
        if (!known) return std::nullopt;
        const Map& map = program.values_of(static_cast<std::size_t>(std::countr_zero(text.object)));
        const auto at = static_cast<std::uint64_t>(text.delta);
        if (!map.is_constant() || at >= map.initial.size()) return std::nullopt;
        return std::string_view{reinterpret_cast<const char*>(map.initial.data()) + at, map.initial.size() - at};
    }

    Units text() const {
        const bool prints = row.helper != abi::Helper::snprintf;
        const Register format_register = prints ? 1 : 3;
        const auto known = constant_text(format_register);
        Units bytes = prints ? most(2) : unknown_size;
        if (known) bytes = std::min<Units>(bytes, prints ? known->size() : std::min(known->find('\0'), known->size()));
        const Units values = row.helper == abi::Helper::trace_printk ? 3 : std::min<Units>(abi::max_format_values, most(prints ? 4 : 5) / 8);
        const Units strings = known ? abi::cost::strings_in(known->substr(0, bytes)) : values;
        return abi::cost::text(bytes, values, strings, prints ? 0 : most(2));
    }
};

}  // namespace

std::vector<abi::cost::MapShape> shapes_of(const Program& program, const Options& options) {
    std::vector<abi::cost::MapShape> shapes;
    const auto add = [&](const Map& map) { shapes.push_back({&type_of(map, options.platform), map.key_bytes, map.value_bytes}); };
    for (const Map& map : program.maps) {
        add(map);
        if (map.inner) add(*map.inner);
    }
    return shapes;
}

Units work_of_call(const State& state, const abi::HelperRow& row, const Program& program, const std::vector<abi::cost::MapShape>& shapes) {
    const Call call{state, row, program};
    switch (abi::cost::work_of(row.helper)) {
        case Work::call: return 0;
        case Work::key:
        case Work::entry: return abi::cost::given(abi::cost::stored(abi::cost::of_maps(row.helper, shapes)));
        case Work::bytes: return call.sizes();
        case Work::event: return call.sizes() + call.of_packet();
        case Work::entries: return call.entries();
        case Work::text: return call.text();
    }
    __builtin_unreachable();
}

}  // namespace unibpf::analyser
