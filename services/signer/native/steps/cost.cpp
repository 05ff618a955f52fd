#include "services/signer/native/steps/cost.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>

namespace unibpf::certificate {
namespace {

constexpr std::uint64_t most_bytes = UINT32_MAX, free_bytes = 64, bytes_a_unit = 8, entries_a_unit = 4;
constexpr std::uint64_t a_value_printed = 64, a_text_printed = 4096, values_of_printk = 3;
constexpr unsigned packet_bytes_at = 32;                // in the flags of bpf_perf_event_output
constexpr std::uint64_t packet_bytes_mask = 0xfffff;

std::uint64_t touching(std::uint64_t bytes) { return bytes <= free_bytes ? 0 : bytes / bytes_a_unit; }

class Call {
  public:
    Call(const Program& program, const State& state, const abi::HelperRow& row) : program_{program}, state_{state}, row_{row} {}

    std::uint64_t work() const {
        switch (row_.helper) {
            case abi::Helper::map_lookup_elem:
            case abi::Helper::map_delete_elem:
            case abi::Helper::map_lookup_percpu_elem: return in_any_map(false);
            case abi::Helper::map_update_elem: return in_any_map(true);
            case abi::Helper::csum_diff:
            case abi::Helper::strtol:
            case abi::Helper::strtoul:
            case abi::Helper::strncmp:
            case abi::Helper::ringbuf_output:
            case abi::Helper::xdp_load_bytes:
            case abi::Helper::xdp_store_bytes: return sizes();
            case abi::Helper::perf_event_output: return sizes() + of_packet();
            case abi::Helper::for_each_map_elem: return entries();
            case abi::Helper::trace_printk:
            case abi::Helper::trace_vprintk:
            case abi::Helper::snprintf: return printing();
            default: return 0;
        }
    }

  private:
    std::uint64_t most(unsigned reg) const {
        const Value& value = state_.reg[reg];
        return value.is_number() ? std::min(state_.word(value.term).u.high, most_bytes) : most_bytes;
    }

    std::uint64_t sizes() const {
        std::uint64_t sum = 0;
        for (unsigned i = 0; i < row_.arguments.size(); ++i) {
            const bool is_size = row_.arguments[i] == abi::Argument::size || row_.arguments[i] == abi::Argument::size_or_zero;
            if (is_size) sum += touching(most(i + 1));
        }
        return sum;
    }
    std::uint64_t of_packet() const {
        const Value& flags = state_.reg[3];
        const auto known = state_.constant(flags);
        if (known) return touching(*known >> packet_bytes_at & packet_bytes_mask);
        const bool names_none = flags.is_number() && state_.word(flags.term).u.high >> packet_bytes_at == 0;
        return names_none ? 0 : touching(packet_bytes_mask);
    }
    std::uint64_t entries() const {
        const Value& handle = state_.reg[1];
        std::uint64_t found = 0;
        for (std::uint64_t maps = handle.kind == Kind::map ? handle.object : 0; maps != 0; maps &= maps - 1) {
            found = std::max<std::uint64_t>(found, program_.maps[static_cast<std::size_t>(std::countr_zero(maps))].entries);
        }
        return (found == 0 ? abi::max_entries : found) / entries_a_unit;
    }

    // A call is charged for the dearest map of the program, in sixteen bits and a power of two that round up.
    std::uint64_t in_any_map(bool with_value) const {
        std::uint64_t found = 0;
        for (const Map& map : program_.maps) {
            found = std::max(found, in_map(map, with_value));
            if (map.inner) found = std::max(found, in_map(*map.inner, with_value));
        }
        return found <= UINT16_MAX ? found : found + found / (UINT16_MAX / 2) + 1;
    }
    static std::uint64_t in_map(const Map& map, bool with_value) {
        const std::uint64_t key = map.type->index == abi::Index::prefix ? 8 * (std::uint64_t{map.key_bytes} - std::min(map.key_bytes, 4U))
                                  : map.type->index == abi::Index::hash ? touching(map.key_bytes)
                                                                        : 0;
        return key + (with_value ? touching(map.value_bytes) : 0);
    }

    // --- formats

    std::uint64_t printing() const {
        const bool to_console = row_.helper != abi::Helper::snprintf;
        const auto text = constant_text(state_.reg[to_console ? 1 : 3]);
        std::uint64_t length = to_console ? most(2) : most_bytes;
        if (text) length = std::min<std::uint64_t>(length, to_console ? text->size() : std::min(text->find('\0'), text->size()));
        const std::uint64_t values = row_.helper == abi::Helper::trace_printk ? values_of_printk : std::min<std::uint64_t>(abi::max_format_values, most(to_console ? 4 : 5) / 8);
        const std::uint64_t texts = text ? std::min(values, texts_in(text->substr(0, length))) : values;
        return length + values * a_value_printed + texts * a_text_printed + (to_console ? 0 : touching(most(2)));
    }
    std::optional<std::string_view> constant_text(const Value& value) const {
        const Term place = state_.settled(value.term);
        if (value.kind != Kind::map_value || value.may_be_null() || place.symbol != zero || !std::has_single_bit(value.object)) return std::nullopt;
        const Map& map = program_.values_of(static_cast<std::size_t>(std::countr_zero(value.object)));
        if (!map.constant() || place.offset < 0 || place.offset >= static_cast<std::int64_t>(map.data.size())) return std::nullopt;
        return std::string_view{reinterpret_cast<const char*>(map.data.data()), map.data.size()}.substr(static_cast<std::size_t>(place.offset));
    }
    // Conversions whose letter is `s`, whatever stands between it and the `%`: `%-8s`, `%pks`.
    static std::uint64_t texts_in(std::string_view format) {
        std::uint64_t found = 0;
        for (std::size_t at = format.find('%'); at != format.npos; at = format.find('%', at + 1)) {
            const std::size_t letter = format.find_first_not_of("-+ 0123456789lpku", at + 1);
            if (letter == format.npos) break;
            found += format[letter] == 's';
            if (format[letter] == '%') at = letter;
        }
        return found;
    }

    const Program& program_;
    const State& state_;
    const abi::HelperRow& row_;
};

}  // namespace

std::uint64_t work_of_call(const Program& program, const State& state, const abi::HelperRow& row) { return Call{program, state, row}.work(); }

}  // namespace unibpf::certificate
