#include "guest/click/compute.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "guest/bpf/maps/random.hpp"
#include "guest/click/summary_fields.hpp"
#include "guest/click/text/expand.hpp"

namespace unibpf::click {
namespace {

using Words = std::vector<std::string>;

// A whole number where it is one, else a fraction.
struct Number {
    bool whole = true;
    std::int64_t integer = 0;
    double fraction = 0;
    double real() const { return whole ? static_cast<double>(integer) : fraction; }
};

std::optional<Number> parse_number(std::string_view word) {
    Number number;
    if (read_word(word, number.integer)) return number;
    number.whole = false;
    if (read_word(word, number.fraction)) return number;
    return std::nullopt;
}

std::string text_of(double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.12g", value);
    return buffer;
}
std::string text_of(const Number& number) { return number.whole ? std::to_string(number.integer) : text_of(number.fraction); }
std::string text_of(bool truth) { return truth ? "true" : "false"; }

Answer fault(std::string text) { return {false, std::move(text)}; }
Answer needs_numbers(std::string_view name) { return fault(std::string{name} + ": expected numbers"); }

std::optional<std::vector<Number>> numbers(const Words& words) {
    std::vector<Number> all;
    for (const std::string& word : words) {
        const auto number = parse_number(word);
        if (!number) return std::nullopt;
        all.push_back(*number);
    }
    return all;
}

Number combine(std::string_view name, const Number& a, const Number& b) {
    Number out;
    out.whole = a.whole && b.whole;
    if (name == "add") out.whole = out.whole && !__builtin_add_overflow(a.integer, b.integer, &out.integer);
    if (name == "sub") out.whole = out.whole && !__builtin_sub_overflow(a.integer, b.integer, &out.integer);
    if (name == "mul") out.whole = out.whole && !__builtin_mul_overflow(a.integer, b.integer, &out.integer);
    if (name == "min") out = a.real() <= b.real() ? a : b;
    if (name == "max") out = a.real() >= b.real() ? a : b;
    if (name == "div") {
        out.whole = out.whole && b.integer != 0 && a.integer % b.integer == 0;
        if (out.whole) out.integer = a.integer / b.integer;
    }
    if (out.whole || name == "min" || name == "max") return out;
    out.fraction = name == "add" ? a.real() + b.real() : name == "sub" ? a.real() - b.real()
                                                     : name == "mul"   ? a.real() * b.real()
                                                                       : a.real() / b.real();
    return out;
}

Answer fold(std::string_view name, const Words& words) {
    const auto all = numbers(words);
    if (!all) return needs_numbers(name);
    if (all->empty()) return {true, name == "mul" || name == "div" ? "1" : "0"};
    Number sum = all->front();
    for (std::size_t i = 1; i < all->size(); ++i) sum = combine(name, sum, (*all)[i]);
    if (all->size() == 1 && name == "sub") sum = combine("sub", {}, sum);
    return {true, text_of(sum)};
}

Answer divide(std::string_view name, const Words& words) {
    const auto all = numbers(words);
    if (!all || all->size() != 2) return needs_numbers(name);
    const auto integer = [](const Number& number) { return number.whole ? number.integer : static_cast<std::int64_t>(number.fraction); };
    const std::int64_t a = integer((*all)[0]), b = integer((*all)[1]);
    if (b == 0 || (a == INT64_MIN && b == -1)) return fault("division by 0");
    if (name == "idiv") return {true, std::to_string(a / b)};
    const std::int64_t rest = a % b;
    const bool floors = name == "mod" && rest != 0 && (rest < 0) != (b < 0);
    return {true, std::to_string(floors ? rest + b : rest)};
}

Answer single(std::string_view name, const Words& words) {
    const auto all = numbers(words);
    if (!all || all->size() != 1) return needs_numbers(name);
    Number number = all->front();
    if (name == "neg" || number.real() < 0) number = combine("sub", {}, number);
    return {true, text_of(number)};
}

// -1, 0 or 1; numbers by their value, anything else by its bytes.
int compare(const std::string& a, const std::string& b) {
    const auto x = parse_number(a), y = parse_number(b);
    if (x && y && x->whole && y->whole) return x->integer < y->integer ? -1 : x->integer > y->integer;
    if (x && y) return x->real() < y->real() ? -1 : x->real() > y->real();
    return a < b ? -1 : a > b;
}

Answer relation(std::string_view name, const Words& words) {
    if (words.size() != 2) return fault(std::string{name} + ": expected two values");
    const int order = compare(words[0], words[1]);
    const bool truth = name == "eq"   ? order == 0
                       : name == "ne" ? order != 0
                       : name == "lt" ? order < 0
                       : name == "le" ? order <= 0
                       : name == "gt" ? order > 0
                                      : order >= 0;
    return {true, text_of(truth)};
}

std::optional<bool> truth_of(const std::string& word) {
    bool truth = false;
    if (read_word(word, truth)) return truth;
    if (const auto number = parse_number(word)) return number->real() != 0;
    return std::nullopt;
}

Answer logic(std::string_view name, const Words& words) {
    bool result = name == "and" || name == "nand";
    for (const std::string& word : words) {
        const auto truth = truth_of(word);
        if (!truth) return fault(std::string{name} + ": expected `true` or `false`");
        if (name == "not") return {true, text_of(!*truth)};
        result = name == "and" || name == "nand" ? result && *truth : result || *truth;
    }
    return {true, text_of(name == "nand" || name == "nor" ? !result : result)};
}

Answer choice(std::string_view, const Words& words) {
    const auto truth = words.empty() ? std::nullopt : truth_of(words[0]);
    if (!truth || words.size() > 3) return fault("if: expected CONDITION THEN ELSE");
    const std::size_t at = *truth ? 1 : 2;
    return {true, at < words.size() ? words[at] : ""};
}

Answer contained(std::string_view, const Words& words) {
    const bool found = !words.empty() && std::count(words.begin() + 1, words.end(), words[0]) > 0;
    return {true, text_of(found)};
}

// --- sprintf ---

std::string formatted(const std::string& form, char kind, const std::string& word) {
    char buffer[256] = "";
    const auto number = parse_number(word);
    const std::string flags = form.substr(0, form.size() - 1);
    if (kind == 's') std::snprintf(buffer, sizeof buffer, form.c_str(), word.c_str());
    else if (kind == 'c') return word.substr(0, 1);
    else if (kind == 'd' || kind == 'i') std::snprintf(buffer, sizeof buffer, (flags + PRId64).c_str(), number ? number->integer : 0);
    else if (std::string_view{"uoxX"}.find(kind) != std::string_view::npos)
        std::snprintf(buffer, sizeof buffer, (flags + "l" + kind).c_str(), static_cast<unsigned long>(number ? number->integer : 0));
    else std::snprintf(buffer, sizeof buffer, form.c_str(), number ? number->real() : 0.0);
    return buffer;
}

// A conversion that stands at `format[at]`, without lengths, which mean nothing here; empty when it is none.
std::string conversion(const std::string& format, std::size_t& at) {
    std::string form = "%";
    std::size_t end = at + 1;
    while (end < format.size() && std::string_view{"-+ #0123456789."}.find(format[end]) != std::string_view::npos && end < at + 16) form += format[end++];
    while (end < format.size() && (format[end] == 'h' || format[end] == 'l')) ++end;
    if (end == format.size() || std::string_view{"diuoxXeEfFgGsc"}.find(format[end]) == std::string_view::npos) return "";
    form += format[end];
    at = end + 1;
    return form;
}

Answer print_format(std::string_view, const Words& words) {
    std::string out;
    const std::string format = words.empty() ? "" : words[0];
    std::size_t used = 1;
    for (std::size_t i = 0; i < format.size();) {
        if (format[i] != '%') {
            out += format[i++];
        } else if (i + 1 < format.size() && format[i + 1] == '%') {
            out += '%';
            i += 2;
        } else {
            const std::string form = conversion(format, i);
            if (form.empty()) return fault("sprintf: bad format `" + format + "`");
            if (used >= words.size()) return fault("sprintf: too few arguments");
            out += formatted(form, form.back(), words[used++]);
        }
    }
    return {true, out};
}

Answer random_number(std::string_view, const Words& words) {
    const auto all = numbers(words);
    if (!all) return needs_numbers("random");
    const std::int64_t low = all->size() == 2 ? (*all)[0].integer : 0;
    const std::int64_t high = all->empty() ? 0x7fffffff : all->back().integer - (all->size() == 1);
    if (high < low) return fault("random: expected a range");
    const std::uint64_t span = static_cast<std::uint64_t>(high - low) + 1;
    return {true, std::to_string(low + static_cast<std::int64_t>(((std::uint64_t{random::next_u32()} << 32) | random::next_u32()) % span))};
}

struct Row {
    std::string_view name;
    Answer (*compute)(std::string_view name, const Words& words);
};
constexpr Row rows[] = {
    {"add", fold},
    {"sub", fold},
    {"mul", fold},
    {"div", fold},
    {"min", fold},
    {"max", fold},
    {"idiv", divide},
    {"mod", divide},
    {"rem", divide},
    {"neg", single},
    {"abs", single},
    {"eq", relation},
    {"ne", relation},
    {"lt", relation},
    {"le", relation},
    {"gt", relation},
    {"ge", relation},
    {"and", logic},
    {"or", logic},
    {"nand", logic},
    {"nor", logic},
    {"not", logic},
    {"if", choice},
    {"in", contained},
    {"sprintf", print_format},
    {"random", random_number},
};

std::string read_file(const std::string& name) {
    std::ifstream stream{name, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

std::string joined(const Words& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
    return out;
}

}  // namespace

bool compute(Driver& driver, std::string_view name, const std::string& argument, Answer& answer) {
    for (const Row& row : rows)
        if (row.name == name) return answer = row.compute(name, words_of(argument)), true;
    std::string_view text = argument;
    HandlerPath path;
    if (name == "now") answer.text = timestamp_text(driver.now_ns());
    else if (name == "first") answer.text = unquoted_text(take_word(text));
    else if (name == "rest") take_word(text), answer.text = text;
    else if (name == "length") answer.text = std::to_string(unquoted_text(text).size());
    else if (name == "unquote") answer.text = unquoted_text(text);
    else if (name == "cat") answer.text = read_file(unquoted_text(text));
    else if (name == "echo") answer.text = joined(words_of(text));
    else if (name == "readable") answer.text = text_of(find_path(driver, nullptr, unquoted_text(text), path).ok && has_read(driver, path));
    else if (name == "writable") answer.text = text_of(find_path(driver, nullptr, unquoted_text(text), path).ok && has_write(driver, path));
    else return false;
    return true;
}

}  // namespace unibpf::click
