// Strings and numbers as text.
#include <cstring>
#include <limits>
#include <string_view>

#include "guest/bpf/helpers/helpers_list.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/helpers/printk.hpp"
#include "guest/bpf/helpers/text_format.hpp"

namespace unibpf::helpers {
namespace {

// A number at the start of a text. `characters` is how long it is with all that precedes it.
struct Parsed {
    std::uint64_t value = 0;
    std::size_t characters = 0;
    bool negative = false;
    int error = 0;
};

constexpr std::size_t longest_number = 63;  // Linux looks at no more characters after the sign

unsigned digit_of(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? static_cast<unsigned>(lower - 'a') + 10 : 16;
}

// With an unknown base (0) only in front of a digit; `0` is octal then.
bool has_hexadecimal_prefix(std::string_view text, unsigned base) {
    const bool prefix = text.size() >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
    return prefix && (base == 16 || (base == 0 && text.size() > 2 && digit_of(text[2]) < 16));
}

Parsed parse_digits(std::string_view text, unsigned base) {
    Parsed parsed;
    const bool prefixed = has_hexadecimal_prefix(text, base);
    if (base == 0) base = prefixed                          ? 16
                          : !text.empty() && text[0] == '0' ? 8
                                                            : 10;
    std::size_t at = prefixed ? 2 : 0;
    const std::size_t first = at;
    for (; at < text.size() && digit_of(text[at]) < base; ++at) {
        const bool fits = !__builtin_mul_overflow(parsed.value, base, &parsed.value) && !__builtin_add_overflow(parsed.value, digit_of(text[at]), &parsed.value);
        if (!fits) parsed.error = abi::erange;
    }
    if (at == first) parsed.error = abi::einval;
    parsed.characters = at;
    return parsed;
}

// White space, a sign, digits; flags are the base: 0 (found by the prefix), 8, 10 or 16.
Parsed parse_number(std::string_view text, Word flags) {
    constexpr std::string_view white_space = " \t\n\v\f\r";
    if (!abi::takes_option(abi::Helper::strtol, 2, flags)) return {.error = abi::einval};
    std::size_t at = text.find_first_not_of(white_space);
    if (at == std::string_view::npos) return {.error = abi::einval};
    const bool negative = text[at] == '-';
    if (negative) ++at;
    Parsed parsed = parse_digits(text.substr(at, longest_number), static_cast<unsigned>(flags));
    parsed.characters += at;
    parsed.negative = negative;
    return parsed;
}

std::string_view text_of(Word address, Word size) { return {reinterpret_cast<const char*>(address), static_cast<std::uint32_t>(size)}; }

// The result is written in any case: the verifier counts it as initialised.
Word finish_number(const Parsed& parsed, Word result) {
    const std::uint64_t value = parsed.error != 0 ? 0
                                : parsed.negative ? 0 - parsed.value
                                                  : parsed.value;
    std::memcpy(room_of(result), &value, sizeof value);
    return parsed.error != 0 ? failed(parsed.error) : parsed.characters;
}

// Values of a format: none, or up to twelve 64-bit words at `data`.
bool read_values(Word data, Word bytes, std::uint64_t (&values)[abi::max_format_values], std::size_t& count) {
    const auto size = static_cast<std::uint32_t>(bytes);
    if (size % 8 != 0 || size > sizeof values || (data == 0 && size != 0)) return false;
    if (size != 0) std::memcpy(values, bytes_of(data), size);
    count = size / 8;
    return true;
}

// `values` as the call says: how many are read, and whether, comes afterwards.
bool afford_text(Machine& machine, std::string_view format, std::uint64_t values, std::uint64_t room) {
    const std::uint64_t read = values < abi::max_format_values ? values : abi::max_format_values;
    return machine.afford(abi::cost::text(format.size(), read, abi::cost::strings_in(format), room));
}

}  // namespace

Word strncmp(Word text, Word size, Word other, Word, Word, Machine& machine) {
    const auto bytes = static_cast<std::uint32_t>(size);
    if (!machine.afford(abi::cost::bytes(bytes))) return 0;
    for (std::uint32_t i = 0; i < bytes; ++i) {
        const std::uint8_t a = bytes_of(text)[i], b = bytes_of(other)[i];
        if (a != b) return a < b ? static_cast<Word>(-1) : 1;
        if (a == 0) break;
    }
    return 0;
}

Word strtol(Word text, Word size, Word flags, Word result, Word, Machine& machine) {
    if (!machine.afford(abi::cost::bytes(static_cast<std::uint32_t>(size)))) return 0;
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    Parsed parsed = parse_number(text_of(text, size), flags);
    if (parsed.error == 0 && parsed.value > most + (parsed.negative ? 1 : 0)) parsed.error = abi::erange;
    return finish_number(parsed, result);
}

Word strtoul(Word text, Word size, Word flags, Word result, Word, Machine& machine) {
    if (!machine.afford(abi::cost::bytes(static_cast<std::uint32_t>(size)))) return 0;
    Parsed parsed = parse_number(text_of(text, size), flags);
    if (parsed.error == 0 && parsed.negative) parsed.error = abi::einval;
    return finish_number(parsed, result);
}

// As vsnprintf, but the result counts the NUL byte; what is left of the buffer is zeroed, because the verifier counts it as
// initialised. A format that is none leaves an empty string.
Word snprintf(Word buffer, Word size, Word format, Word data, Word data_bytes, Machine& machine) {
    const auto room = static_cast<std::uint32_t>(size);
    const std::string_view text_of_format{reinterpret_cast<const char*>(format), std::strlen(reinterpret_cast<const char*>(format))};
    if (!afford_text(machine, text_of_format, static_cast<std::uint32_t>(data_bytes) / 8, room)) return 0;
    const std::span<char> out{reinterpret_cast<char*>(buffer), room};
    std::uint64_t values[abi::max_format_values];
    std::size_t count = 0;
    FormattedText text{out.first(room == 0 ? 0 : room - 1)};
    const bool good = read_values(data, data_bytes, values, count) &&
                      format_text(text, text_of_format, {values, count}, machine);
    const std::size_t written = good ? text.view().size() : 0;
    if (room != 0) std::memset(out.data() + written, 0, room - written);
    return good ? text.length() + 1 : failed(abi::einval);
}

Word trace_printk(Word format, Word size, Word first, Word second, Word third, Machine& machine) {
    const std::uint64_t values[] = {first, second, third};
    if (!afford_text(machine, text_of(format, size), std::size(values), 0)) return 0;
    return static_cast<Word>(printk(text_of(format, size), values, machine));
}

Word trace_vprintk(Word format, Word size, Word data, Word data_bytes, Word, Machine& machine) {
    std::uint64_t values[abi::max_format_values];
    std::size_t count = 0;
    if (!afford_text(machine, text_of(format, size), static_cast<std::uint32_t>(data_bytes) / 8, 0)) return 0;
    if (!read_values(data, data_bytes, values, count)) return failed(abi::einval);
    return static_cast<Word>(printk(text_of(format, size), {values, count}, machine));
}

}  // namespace unibpf::helpers
