#include "guest/click/elements/summary_options.hpp"

#include "guest/click/summary_fields.hpp"
#include "guest/graph/args.hpp"
#include "guest/graph/text.hpp"

namespace unibpf::click {
namespace {

constexpr std::size_t longest_options = 40;

std::uint32_t be16(std::span<const std::uint8_t> bytes, std::size_t at) { return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]); }
std::uint32_t be32(std::span<const std::uint8_t> bytes, std::size_t at) { return be16(bytes, at) << 16 | be16(bytes, at + 2); }

void put32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::string other_option(std::span<const std::uint8_t> option) {
    std::string out = "opt" + std::to_string(option[0]);
    for (std::size_t i = 2; i < option.size(); ++i) out += (i == 2 ? "=" : ":") + std::to_string(option[i]);
    return out;
}

std::string tcp_option(std::span<const std::uint8_t> option) {
    const std::size_t size = option.size();
    if (option[0] == 2 && size == 4) return "mss" + std::to_string(be16(option, 2));
    if (option[0] == 3 && size == 3) return "wscale" + std::to_string(option[2]);
    if (option[0] == 4 && size == 2) return "sackok";
    if (option[0] == 8 && size == 10) return "ts" + std::to_string(be32(option, 2)) + ":" + std::to_string(be32(option, 6));
    if (option[0] == 5 && size >= 10 && size % 8 == 2) {
        std::string out;
        for (std::size_t i = 2; i < size; i += 8)
            out += (out.empty() ? "sack" : ";sack") + std::to_string(be32(option, i)) + "-" + std::to_string(be32(option, i + 4));
        return out;
    }
    return other_option(option);
}

bool wanted(std::uint8_t kind, TcpOptionKinds kinds) {
    if (kinds == TcpOptionKinds::sack) return kind == 4 || kind == 5;
    return kind > 1 && (kinds == TcpOptionKinds::all || kind != 8);
}

// 7 record route, 131 and 137 source routes, 68 timestamps (RFC 791, 3.1)
std::string ip_option(std::span<const std::uint8_t> option) {
    const std::uint8_t kind = option[0];
    if (kind == 148 && option.size() == 4) return "ra";
    if ((kind != 7 && kind != 131 && kind != 137) || option.size() < 3) return other_option(option);
    std::string out = kind == 7 ? "rr{" : kind == 131 ? "lsrr{"
                                                      : "ssrr{";
    const std::size_t pointer = option[2];
    std::size_t rest = 0;
    for (std::size_t i = 3; i + 4 <= option.size(); i += 4) {
        if (kind == 7 && i + 1 >= pointer) {
            ++rest;
            continue;
        }
        if (kind != 7 && i + 1 == pointer) out += '^';
        else if (i > 3) out += ',';
        out += address_text(be32(option, i));
    }
    if (kind != 7 && pointer > option.size()) out += '^';
    out += '}';
    return rest > 0 ? out + "+" + std::to_string(rest) : out;
}

template <typename Describe>
std::string options_text(std::span<const std::uint8_t> options, Describe&& describe) {
    std::string out;
    for (std::size_t at = 0; at < options.size();) {
        const std::uint8_t kind = options[at];
        std::size_t size = 1;
        if (kind > 1) {
            if (at + 1 >= options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size()) return "?";
            size = options[at + 1];
        }
        const std::string word = describe(options.subspan(at, size));
        if (!word.empty()) out += (out.empty() ? "" : ";") + word;
        if (kind == 0) break;
        at += size;
    }
    return out.empty() ? "." : out;
}

// `TEXT` after `name`, as a number.
bool number_after(std::string_view word, std::string_view name, std::uint32_t& value) {
    return word.starts_with(name) && read_word(slice(word, name.size()), value);
}

bool two_numbers(std::string_view text, char separator, std::uint32_t& a, std::uint32_t& b) {
    const std::size_t at = text.find(separator);
    return at != std::string_view::npos && read_word(slice(text, 0, at), a) && read_word(slice(text, at + 1), b);
}

bool read_other(std::string_view word, std::string& bytes) {
    std::uint32_t kind = 0;
    const std::size_t equals = word.find('=');
    if (!number_after(slice(word, 0, equals), "opt", kind) || kind > 255) return false;
    std::string values;
    std::string_view rest = equals == std::string_view::npos ? std::string_view{} : slice(word, equals + 1);
    while (!rest.empty()) {
        const std::size_t end = rest.find(':');
        std::uint8_t byte = 0;
        if (!read_word(slice(rest, 0, end), byte)) return false;
        values += static_cast<char>(byte);
        rest = end == std::string_view::npos ? std::string_view{} : slice(rest, end + 1);
    }
    bytes += static_cast<char>(kind);
    bytes += static_cast<char>(values.size() + 2);
    bytes += values;
    return true;
}

bool read_tcp_option(std::string_view word, std::string& bytes) {
    std::uint32_t a = 0, b = 0;
    if (word == "nop") return bytes += '\1', true;
    if (word == "eol") return bytes += '\0', true;
    if (word == "sackok") return bytes += "\4\2", true;
    if (number_after(word, "mss", a)) return bytes += {'\2', '\4', static_cast<char>(a >> 8), static_cast<char>(a)}, true;
    if (number_after(word, "wscale", a)) return bytes += {'\3', '\3', static_cast<char>(a)}, true;
    if (word.starts_with("sack") && two_numbers(slice(word, 4), '-', a, b)) {
        bytes += {'\5', '\12'};
        put32(bytes, a), put32(bytes, b);
        return true;
    }
    if (word.starts_with("ts") && two_numbers(slice(word, 2), ':', a, b)) {
        bytes += {'\10', '\12'};
        put32(bytes, a), put32(bytes, b);
        return true;
    }
    return read_other(word, bytes);
}

// `rr{1.0.0.1,2.0.0.2}+3`, `lsrr{1.0.0.1^2.0.0.2}`
bool read_route(std::string_view word, std::string& bytes) {
    const std::size_t open = word.find('{'), close = word.find('}');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
    const std::string_view name = slice(word, 0, open);
    const int kind = name == "rr" ? 7 : name == "lsrr" ? 131
                                    : name == "ssrr"   ? 137
                                                       : 0;
    if (kind == 0) return false;
    std::string values;
    std::size_t pointer = 0;
    std::string_view inside = slice(word, open + 1, close - open - 1);
    while (!inside.empty()) {
        const std::size_t end = inside.find_first_of(",^");
        IpAddress address{};
        if (end != 0 && !read_word(slice(inside, 0, end), address)) return false;
        if (end != 0)
            for (const std::uint8_t byte : address) values += static_cast<char>(byte);
        if (end != std::string_view::npos && inside[end] == '^') pointer = 4 + values.size();
        inside = end == std::string_view::npos ? std::string_view{} : slice(inside, end + 1);
    }
    if (pointer == 0) pointer = kind == 7 ? 4 + values.size() : 4;
    std::uint32_t more = 0;
    if (close + 1 < word.size() && !number_after(slice(word, close + 1), "+", more)) return false;
    values.append(std::size_t{more} * 4, '\0');
    bytes += static_cast<char>(kind);
    bytes += static_cast<char>(values.size() + 3);
    bytes += static_cast<char>(pointer);
    bytes += values;
    return values.size() <= longest_options;
}

bool read_ip_option(std::string_view word, std::string& bytes) {
    if (word == "nop") return bytes += '\1', true;
    if (word == "eol") return bytes += '\0', true;
    if (word == "ra") return bytes += {'\x94', '\4', '\0', '\0'}, true;
    return read_route(word, bytes) || read_other(word, bytes);
}

template <typename Read>
bool read_options(std::string_view text, std::string& bytes, Read&& read) {
    bytes.clear();
    if (text == "." || text == "-") return true;
    while (!text.empty()) {
        std::size_t end = 0;
        for (bool inside = false; end < text.size() && (inside || (text[end] != ';' && text[end] != ',')); ++end)
            inside = text[end] == '{' || (inside && text[end] != '}');
        if (!read(slice(text, 0, end), bytes)) return false;
        text = slice(text, end + 1);
    }
    while (bytes.size() % 4 != 0) bytes += '\0';
    return bytes.size() <= longest_options;
}

}  // namespace

std::string tcp_options_text(std::span<const std::uint8_t> options, TcpOptionKinds kinds) {
    return options_text(options, [&](std::span<const std::uint8_t> option) -> std::string {
        return wanted(option[0], kinds) ? tcp_option(option) : "";
    });
}

std::string ip_options_text(std::span<const std::uint8_t> options) {
    return options_text(options, [](std::span<const std::uint8_t> option) -> std::string {
        return option[0] > 1 ? ip_option(option) : "";
    });
}

bool read_tcp_options(std::string_view text, std::string& bytes) { return read_options(text, bytes, read_tcp_option); }
bool read_ip_options(std::string_view text, std::string& bytes) { return read_options(text, bytes, read_ip_option); }

}  // namespace unibpf::click
