// Words as values (args.hpp): numbers, addresses, times, bandwidths, in the forms of click(5).
#include "guest/graph/args.hpp"
#include "guest/graph/names/name_info.hpp"
#include "guest/graph/text.hpp"

namespace unibpf {

namespace {

int digit_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

// A whole number of that base, at most `most`; false for anything else.
bool parse_number(std::string_view text, unsigned base, std::uint64_t most, std::uint64_t& value) {
    if (text.empty()) return false;
    value = 0;
    for (char c : text) {
        const int digit = digit_value(c);
        if (digit >= static_cast<int>(base)) return false;
        const std::uint64_t limit = (most - static_cast<std::uint64_t>(digit)) / base;
        if (static_cast<std::uint64_t>(digit) > most || value > limit) return false;
        value = value * base + static_cast<std::uint64_t>(digit);
    }
    return true;
}

// Decimal, `0x` hexadecimal, or octal after a `0`.
bool parse_any_base(std::string_view text, std::uint64_t most, std::uint64_t& value) {
    if (text.starts_with("0x") || text.starts_with("0X")) return parse_number(slice(text, 2), 16, most, value);
    if (text.size() > 1 && text[0] == '0') return parse_number(slice(text, 1), 8, most, value);
    return parse_number(text, 10, most, value);
}

template <typename T>
bool read_unsigned(std::string_view text, T& value) {
    std::uint64_t number = 0;
    if (text.starts_with('+')) text.remove_prefix(1);
    if (!parse_any_base(text, static_cast<T>(~T{0}), number)) return false;
    value = static_cast<T>(number);
    return true;
}

template <typename T>
bool read_signed(std::string_view text, T& value) {
    const bool minus = text.starts_with('-');
    if (minus || text.starts_with('+')) text.remove_prefix(1);
    constexpr std::uint64_t most = (std::uint64_t{1} << (8 * sizeof(T) - 1)) - 1;
    std::uint64_t number = 0;
    if (!parse_any_base(text, minus ? most + 1 : most, number)) return false;
    value = static_cast<T>(minus ? 0 - number : number);
    return true;
}

// The part before the next `separator`; takes it off `text`.
std::string_view cut(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view part = slice(text, 0, at);
    text = at == std::string_view::npos ? std::string_view{} : slice(text, at + 1);
    return part;
}

template <std::size_t N>
bool parse_octets(std::string_view text, char separator, unsigned base, std::array<std::uint8_t, N>& out) {
    std::array<std::uint8_t, N> octets{};
    for (std::size_t i = 0; i < N; ++i) {
        if (i > 0 && text.empty()) return false;
        const bool last = i + 1 == N;
        const std::string_view part = last ? text : cut(text, separator);
        std::uint64_t value = 0;
        if (part.size() > 3 || !parse_number(part, base, 255, value)) return false;
        octets[i] = static_cast<std::uint8_t>(value);
    }
    out = octets;
    return true;
}

IpAddress mask_of(std::uint64_t length) {
    const auto bits = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
    return {static_cast<std::uint8_t>(bits >> 24), static_cast<std::uint8_t>(bits >> 16), static_cast<std::uint8_t>(bits >> 8),
            static_cast<std::uint8_t>(bits)};
}

// Digits and up to nine decimals in units of 1/1,000,000,000, at most 2^63; takes them off `text`.
bool take_decimal(std::string_view& text, std::uint64_t& whole, std::uint64_t& billionths) {
    std::size_t digits = 0;
    whole = billionths = 0;
    for (; !text.empty() && digit_value(text[0]) < 10; text.remove_prefix(1), ++digits) {
        if (whole > 1'000'000'000'000'000) return false;
        whole = whole * 10 + static_cast<std::uint64_t>(digit_value(text[0]));
    }
    if (!text.starts_with('.')) return digits > 0;
    text.remove_prefix(1);
    std::uint64_t unit = 100'000'000;
    for (; !text.empty() && digit_value(text[0]) < 10; text.remove_prefix(1), ++digits, unit /= 10)
        billionths += unit * static_cast<std::uint64_t>(digit_value(text[0]));
    return digits > 0;
}

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};
constexpr Unit time_units[] = {
    {"", 1'000'000'000},
    {"s", 1'000'000'000},
    {"sec", 1'000'000'000},
    {"ms", 1'000'000},
    {"msec", 1'000'000},
    {"us", 1'000},
    {"usec", 1'000},
    {"ns", 1},
    {"nsec", 1},
    {"m", 60'000'000'000},
    {"min", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"hr", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
    {"day", 86'400'000'000'000},
};
constexpr Unit bandwidth_units[] = {
                                      // in eighths of a byte
    {"", 8},
    {"Bps", 8},
    {"bps", 1},
    {"baud", 1},
    {"B/s", 8},
    {"b/s", 1},
};

// `scale` of a prefix: k, M, G; takes it off `unit` when more follows.
std::uint64_t take_prefix(std::string_view& unit) {
    if (unit.empty()) return 1;
    const std::uint64_t scale = unit[0] == 'k' || unit[0] == 'K' ? 1'000 : unit[0] == 'M' ? 1'000'000
                                                                       : unit[0] == 'G'   ? 1'000'000'000
                                                                                          : 1;
    if (scale > 1) unit.remove_prefix(1);
    return scale;
}

// value * factor; false when it does not fit.
bool scaled(std::uint64_t whole, std::uint64_t billionths, std::uint64_t factor, std::uint64_t& value) {
    constexpr std::uint64_t most = std::uint64_t{1} << 62;
    if (whole > most / factor) return false;
    const std::uint64_t low = factor / 1'000'000'000 * billionths + factor % 1'000'000'000 * billionths / 1'000'000'000;
    value = whole * factor + low;
    return true;
}

bool parse_group(std::string_view text, std::uint8_t* out) {
    std::uint64_t value = 0;
    if (text.size() > 4 || !parse_number(text, 16, 0xffff, value)) return false;
    out[0] = static_cast<std::uint8_t>(value >> 8);
    out[1] = static_cast<std::uint8_t>(value);
    return true;
}

// Groups between colons, an IPv4 address as the last two; how many bytes, or 17 for a fault.
std::size_t parse_groups(std::string_view text, std::uint8_t* out) {
    std::size_t size = 0;
    while (!text.empty()) {
        const bool last = text.find(':') == std::string_view::npos;
        const std::string_view part = cut(text, ':');
        if (last && part.find('.') != std::string_view::npos) {
            IpAddress tail{};
            if (size > 12 || !parse_octets(part, '.', 10, tail)) return 17;
            for (const std::uint8_t byte : tail) out[size++] = byte;
            return size;
        }
        if (size > 14 || (!last && text.empty()) || !parse_group(part, out + size)) return 17;
        size += 2;
    }
    return size;
}

}  // namespace

std::string_view next_word(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    const std::string_view word = slice(text, 0, text.find(' '));
    text = slice(text, word.size());
    return word;
}

bool read_word(std::string_view text, std::uint8_t& value) { return read_unsigned(text, value); }
bool read_word(std::string_view text, std::uint16_t& value) { return read_unsigned(text, value); }
bool read_word(std::string_view text, std::uint32_t& value) { return read_unsigned(text, value); }
bool read_word(std::string_view text, std::uint64_t& value) { return read_unsigned(text, value); }
bool read_word(std::string_view text, std::int32_t& value) { return read_signed(text, value); }
bool read_word(std::string_view text, std::int64_t& value) { return read_signed(text, value); }

bool read_word(std::string_view text, double& value) {
    const bool minus = text.starts_with('-');
    if (minus || text.starts_with('+')) text.remove_prefix(1);
    std::uint64_t whole = 0, billionths = 0;
    if (!take_decimal(text, whole, billionths)) return false;
    double number = static_cast<double>(whole) + static_cast<double>(billionths) / 1e9;
    if (text.starts_with('e') || text.starts_with('E')) {
        std::int32_t exponent = 0;
        if (!read_signed(slice(text, 1), exponent) || exponent < -300 || exponent > 300) return false;
        for (; exponent > 0; --exponent) number *= 10;
        for (; exponent < 0; ++exponent) number /= 10;
        text = {};
    }
    if (!text.empty()) return false;
    value = minus ? -number : number;
    return true;
}

bool read_word(std::string_view text, bool& value) {
    const bool yes = text == "true" || text == "yes" || text == "1";
    const bool no = text == "false" || text == "no" || text == "0";
    if (yes || no) value = yes;
    return yes || no;
}

bool read_word(std::string_view text, IpAddress& value) {
    return parse_octets(text, '.', 10, value) || NameInfo::current().find(NameKind::ip, text, value);
}

bool read_word(std::string_view text, IpPrefix& value) {
    std::string_view rest = text;
    IpPrefix prefix;
    if (NameInfo::current().find(NameKind::ip_prefix, text, value)) return true;
    if (!read_word(cut(rest, '/'), prefix.address)) return false;
    std::uint64_t length = 32;
    if (text.find('/') != std::string_view::npos) {
        if (rest.find('.') != std::string_view::npos) return parse_octets(rest, '.', 10, prefix.mask) && (value = prefix, true);
        if (!parse_number(rest, 10, 32, length)) return false;
    }
    prefix.mask = mask_of(length);
    value = prefix;
    return true;
}

bool read_word(std::string_view text, EtherAddress& value) {
    return parse_octets(text, ':', 16, value) || parse_octets(text, '-', 16, value) || NameInfo::current().find(NameKind::ether, text, value);
}

// RFC 4291, 2.2: eight groups, `::` once for a run of zeroes, an IPv4 address as the last four bytes.
bool read_word(std::string_view text, Ip6Address& value) {
    if (NameInfo::current().find(NameKind::ip6, text, value)) return true;
    const std::size_t gap = text.find("::");
    Ip6Address address{};
    std::uint8_t tail[16] = {};
    if (gap == std::string_view::npos) {
        if (text.empty() || parse_groups(text, address.data()) != 16) return false;
    } else {
        const std::size_t before = parse_groups(slice(text, 0, gap), address.data());
        const std::size_t after = parse_groups(slice(text, gap + 2), tail);
        if (before + after > 14) return false;
        for (std::size_t i = 0; i < after; ++i) address[16 - after + i] = tail[i];
    }
    value = address;
    return true;
}

bool read_word(std::string_view text, Ip6Prefix& value) {
    if (NameInfo::current().find(NameKind::ip6_prefix, text, value)) return true;
    std::string_view rest = text;
    Ip6Prefix prefix;
    if (!read_word(cut(rest, '/'), prefix.address)) return false;
    if (text.find('/') != std::string_view::npos && (!read_unsigned(rest, prefix.length) || prefix.length > 128)) return false;
    value = prefix;
    return true;
}

bool read_word(std::string_view text, Duration& value) {
    std::uint64_t whole = 0, billionths = 0;
    if (!take_decimal(text, whole, billionths)) return false;
    for (const Unit& unit : time_units)
        if (unit.name == text) return scaled(whole, billionths, unit.factor, value.ns);
    return false;
}

bool read_word(std::string_view text, Bandwidth& value) {
    std::uint64_t whole = 0, billionths = 0;
    if (!take_decimal(text, whole, billionths)) return false;
    while (text.starts_with(' ')) text.remove_prefix(1);
    const std::uint64_t scale = take_prefix(text);
    for (const Unit& unit : bandwidth_units) {
        if (unit.name != text) continue;
        std::uint64_t eighths = 0;
        if (!scaled(whole, billionths, unit.factor * scale, eighths)) return false;
        value.bytes_per_second = eighths / 8;
        return true;
    }
    return false;
}

bool read_word(std::string_view text, PortNumber& value) {
    return read_unsigned(text, value.number) || NameInfo::current().find(NameKind::port, text, value.number);
}

}  // namespace unibpf
