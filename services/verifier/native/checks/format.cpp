#include "services/verifier/native/checks/format.hpp"

#include <algorithm>
#include <optional>

namespace unibpf::analyser {
namespace {

char first(std::string_view text) { return text.empty() ? '\0' : text.front(); }
void skip(std::string_view& text, std::string_view any_of) { text.remove_prefix(std::min(text.find_first_not_of(any_of), text.size())); }

// What follows a `p`; what is no letter of these is text again.
std::optional<Printed> pointer(std::string_view& rest) {
    const std::string_view two = rest.substr(0, 2);
    if (two == "ks" || two == "us") return rest.remove_prefix(2), Printed::string;
    if (two == "i4" || two == "I4") return rest.remove_prefix(2), Printed::address4;
    if (two == "i6" || two == "I6") return rest.remove_prefix(2), Printed::address6;
    const char kind = first(rest);
    if (kind == 'i' || kind == 'I') return std::nullopt;
    if (kind != '\0' && std::string_view{"xKsSB"}.find(kind) != std::string_view::npos) rest.remove_prefix(1);
    return Printed::number;
}

// What follows a `%`.
std::optional<Printed> conversion(std::string_view& rest) {
    skip(rest, "-+ 0");
    skip(rest, "0123456789");
    const char letter = first(rest);
    if (letter == 'l') {
        skip(rest, "l");
        rest.remove_prefix(rest.empty() ? 0 : 1);
        return Printed::number;
    }
    if (letter == '\0' || std::string_view{"diuxXcsp"}.find(letter) == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(1);
    if (letter == 'p') return pointer(rest);
    return letter == 's' ? Printed::string : Printed::number;
}

}  // namespace

std::vector<Printed> printed_by(std::string_view format) {
    std::vector<Printed> result;
    for (std::size_t at = format.find('%'); at != std::string_view::npos; at = format.find('%')) {
        format.remove_prefix(at + 1);
        if (first(format) == '%') {
            format.remove_prefix(1);
            continue;
        }
        const auto printed = conversion(format);
        if (!printed) break;
        result.push_back(*printed);
    }
    return result;
}

}  // namespace unibpf::analyser
