#include "guest/bpf/helpers/text_format.hpp"

#include "guest/bpf/helpers/bounds.hpp"

namespace unibpf {
namespace {

constexpr std::size_t longest_string = 512;

struct Conversion {
    bool left = false, plus = false, space = false, zero = false;
    std::size_t width = 0;
    unsigned longs = 0;
    char letter = 0;    // d i u x X c s p, and 4 or 6 for an IP address
    bool upper = false;  // IP address with separators
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_printable(char c) { return c >= ' ' && c <= '~'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The rest of a format, character by character; 0 at the end.
class Rest {
  public:
    explicit Rest(std::string_view text) : text_{text} {}
    char peek(std::size_t ahead = 0) const { return ahead < text_.size() ? text_[ahead] : '\0'; }
    char next() {
        const char c = peek();
        text_.remove_prefix(text_.empty() ? 0 : 1);
        return c;
    }
    bool take(char c) {
        if (peek() != c || c == '\0') return false;
        next();
        return true;
    }

  private:
    std::string_view text_;
};

void read_flags(Rest& rest, Conversion& conversion) {
    for (;; rest.next()) {
        switch (rest.peek()) {
            case '-': conversion.left = true; break;
            case '+': conversion.plus = true; break;
            case ' ': conversion.space = true; break;
            case '0': conversion.zero = true; break;
            default: return;
        }
    }
}

// What follows a `p`.
bool read_pointer(Rest& rest, Conversion& conversion) {
    const char kind = rest.peek();
    conversion.letter = 'p';
    if (kind == 'x' || kind == 'K' || kind == 's' || kind == 'S' || kind == 'B') return rest.take(kind);
    if ((kind == 'k' || kind == 'u') && rest.peek(1) == 's') {
        conversion.letter = 's';
        return rest.take(kind) && rest.take('s');
    }
    if (kind != 'i' && kind != 'I') return !is_alphanumeric(kind);
    rest.next();
    conversion.upper = kind == 'I';
    conversion.letter = rest.next();
    return conversion.letter == '4' || conversion.letter == '6';
}

// What follows a `%`.
bool read_conversion(Rest& rest, Conversion& conversion) {
    read_flags(rest, conversion);
    while (is_digit(rest.peek()) && conversion.width < longest_string) conversion.width = conversion.width * 10 + static_cast<std::size_t>(rest.next() - '0');
    if (rest.take('p')) return read_pointer(rest, conversion);
    while (conversion.longs < 2 && rest.take('l')) ++conversion.longs;
    conversion.letter = rest.next();
    const bool number = std::string_view{"diuxX"}.find(conversion.letter) != std::string_view::npos;
    return conversion.letter != '\0' && (number || (conversion.longs == 0 && (conversion.letter == 'c' || conversion.letter == 's')));
}

void put_padded(FormattedText& out, const Conversion& conversion, std::string_view sign, std::string_view body, bool number) {
    const std::size_t length = sign.size() + body.size();
    const std::size_t padding = conversion.width > length ? conversion.width - length : 0;
    const bool zeroes = number && conversion.zero && !conversion.left;
    if (!conversion.left && !zeroes)
        for (std::size_t i = 0; i < padding; ++i) out.put(' ');
    out.put(sign);
    if (zeroes)
        for (std::size_t i = 0; i < padding; ++i) out.put('0');
    out.put(body);
    if (conversion.left)
        for (std::size_t i = 0; i < padding; ++i) out.put(' ');
}

struct Digits {
    char room[20];
    std::size_t first = sizeof room;

    Digits(std::uint64_t value, unsigned base, bool upper, std::size_t least = 1) {
        for (; value != 0 || sizeof room - first < least; value /= base) room[--first] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
    }
    std::string_view view() const { return {room + first, sizeof room - first}; }
};

void put_number(FormattedText& out, const Conversion& conversion, std::uint64_t value) {
    const bool is_signed = conversion.letter == 'd' || conversion.letter == 'i';
    if (conversion.longs == 0) value = is_signed ? static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)}) : static_cast<std::uint32_t>(value);
    const bool negative = is_signed && static_cast<std::int64_t>(value) < 0;
    const bool hexadecimal = conversion.letter == 'x' || conversion.letter == 'X';
    const Digits digits{negative ? 0 - value : value, hexadecimal ? 16U : 10U, conversion.letter == 'X'};
    const std::string_view sign = negative                        ? "-"
                                  : is_signed && conversion.plus  ? "+"
                                  : is_signed && conversion.space ? " "
                                                                  : "";
    put_padded(out, conversion, sign, digits.view(), true);
}

// One byte that the program may read, whichever frame it is in.
bool read_byte(const Machine& machine, std::uint64_t address, std::uint8_t& byte) {
    const std::uint64_t frame = reinterpret_cast<std::uintptr_t>(machine.stack) + abi::frame_bytes;
    if (!bounds::allowed(machine, frame, address, 1, bounds::Access::read)) return false;
    byte = *reinterpret_cast<const std::uint8_t*>(address);  // sound: just checked
    return true;
}

void put_string(FormattedText& out, const Conversion& conversion, std::uint64_t address, const Machine& machine) {
    char text[longest_string];
    std::size_t length = 0;
    for (std::uint8_t byte = 0; length < sizeof text && read_byte(machine, address + length, byte) && byte != 0; ++length) text[length] = static_cast<char>(byte);
    put_padded(out, conversion, "", {text, length}, false);
}

// %pI4 1.2.3.4, %pi4 001.002.003.004, %pI6 and %pi6 all 32 digits with and without colons.
void put_address(FormattedText& out, const Conversion& conversion, std::uint64_t address, const Machine& machine) {
    const bool four = conversion.letter == '4';
    std::uint8_t bytes[16] = {};
    for (std::size_t i = 0; i < (four ? 4U : 16U); ++i) {
        if (read_byte(machine, address + i, bytes[i])) continue;
        for (std::uint8_t& byte : bytes) byte = 0;
        break;
    }
    char room[40];
    FormattedText text{room};
    for (std::size_t i = 0; i < (four ? 4U : 16U); ++i) {
        if (four && i != 0) text.put('.');
        if (!four && conversion.upper && i != 0 && i % 2 == 0) text.put(':');
        text.put(four ? Digits{bytes[i], 10, false, conversion.upper ? 1U : 3U}.view() : Digits{bytes[i], 16, false, 2}.view());
    }
    put_padded(out, conversion, "", text.view(), false);
}

void put_value(FormattedText& out, const Conversion& conversion, std::uint64_t value, const Machine& machine) {
    const char character = static_cast<char>(value);
    switch (conversion.letter) {
        case 'c': return put_padded(out, conversion, "", {&character, 1}, false);
        case 's': return put_string(out, conversion, value, machine);
        case '4':
        case '6': return put_address(out, conversion, value, machine);
        case 'p': return put_padded(out, conversion, "", Digits{value, 16, false, 16}.view(), false);
        default: return put_number(out, conversion, value);
    }
}

}  // namespace

bool format_text(FormattedText& out, std::string_view format, std::span<const std::uint64_t> values, const Machine& machine) {
    std::size_t used = 0;
    Rest rest{format};
    while (const char c = rest.next()) {
        if (!is_printable(c) && !is_space(c)) return false;
        if (c != '%') {
            out.put(c);
            continue;
        }
        if (rest.take('%')) {
            out.put('%');
            continue;
        }
        Conversion conversion;
        if (used == values.size() || !read_conversion(rest, conversion)) return false;
        put_value(out, conversion, values[used++], machine);
    }
    return true;
}

}  // namespace unibpf
