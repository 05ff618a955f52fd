#include "guest/graph/args.hpp"

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
        value = value * base + static_cast<std::uint64_t>(digit);
        if (value > most) return false;
    }
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

}  // namespace

std::string_view next_word(std::string_view& text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    const std::string_view word = slice(text, 0, text.find(' '));
    text = slice(text, word.size());
    return word;
}

bool read_word(std::string_view text, std::uint32_t& value) {
    std::uint64_t number = 0;
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (!parse_number(hex ? slice(text, 2) : text, hex ? 16 : 10, 0xffffffff, number)) return false;
    value = static_cast<std::uint32_t>(number);
    return true;
}

bool read_word(std::string_view text, bool& value) {
    const bool yes = text == "true" || text == "yes" || text == "1";
    const bool no = text == "false" || text == "no" || text == "0";
    if (yes || no) value = yes;
    return yes || no;
}

bool read_word(std::string_view text, IpAddress& value) { return parse_octets(text, '.', 10, value); }

bool read_word(std::string_view text, IpPrefix& value) {
    std::string_view rest = text;
    IpPrefix prefix;
    if (!read_word(cut(rest, '/'), prefix.address)) return false;
    std::uint64_t length = 32;
    if (text.find('/') != std::string_view::npos) {
        if (rest.find('.') != std::string_view::npos) return read_word(rest, prefix.mask) && (value = prefix, true);
        if (!parse_number(rest, 10, 32, length)) return false;
    }
    prefix.mask = mask_of(length);
    value = prefix;
    return true;
}

bool read_word(std::string_view text, EtherAddress& value) { return parse_octets(text, ':', 16, value); }

Args::Found Args::take(std::string_view keyword, bool positional) {
    for (Arg& arg : args_) {
        if (arg.used || arg.keyword != keyword) continue;
        arg.used = true;
        return {arg.value, arg.place, true};
    }
    if (!positional) return {};
    for (Arg& arg : args_) {
        if (arg.used || !arg.keyword.empty()) continue;
        arg.used = true;
        return {arg.text, arg.place, true};
    }
    return {};
}

bool Args::read(std::string_view keyword, How how, Target target) {
    const Found found = take(keyword, how.positional);
    if (!found.present) {
        if (how.must) error("missing argument `", keyword, "`");
        return false;
    }
    if (target.convert(found.text, target.value)) return true;
    errors_.add(found.place, "`", element_, "`: argument `", keyword, "`: got `", found.text, "`, expected ", target.expected);
    return false;
}

const Arg* Args::next() {
    for (Arg& arg : args_) {
        if (arg.used) continue;
        arg.used = true;
        return &arg;
    }
    return nullptr;
}

std::size_t Args::left() const {
    std::size_t n = 0;
    for (const Arg& arg : args_) n += !arg.used;
    return n;
}

void Args::complete() {
    for (const Arg& arg : args_)
        if (!arg.used) errors_.add(arg.place, "`", element_, "`: unknown argument `", arg.text, "`");
}

}  // namespace unibpf
