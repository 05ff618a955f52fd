// The values of bpf_snprintf and bpf_trace_vprintk (bpf-helpers(7)), among which there may be addresses.
//
// Guests copy the values before they print any, and ask of each byte that is read through one whether the program may read it; so
// what has to be shown is only that no text which the program gets tells it an address. The console may be told.
#include <bit>
#include <optional>
#include <string_view>

#include "services/signer/native/steps/step.hpp"

namespace unibpf::certificate {
namespace {

// What is printed of one value: itself, a text up to its NUL byte, 4 or 16 bytes.
enum class Printed : std::uint8_t { itself,
                                    text,
                                    four_bytes,
                                    sixteen_bytes };

// A format, read once from its first character to its last.
class Format {
  public:
    explicit Format(std::string_view text) : text_{text} {}

    // What it prints of each value; nothing at all of a format with a conversion that guests would stop at.
    std::vector<Printed> conversions() {
        std::vector<Printed> result;
        while (!text_.empty()) {
            if (!take('%') && skip(1)) continue;
            if (take('%')) continue;
            const auto one = conversion();
            if (!one) return {};
            result.push_back(*one);
        }
        return result;
    }

  private:
    bool skip(std::size_t characters) { return text_.remove_prefix(characters), true; }
    bool take(char wanted) { return text_.starts_with(wanted) && skip(1); }
    bool take(std::string_view wanted) { return text_.starts_with(wanted) && skip(wanted.size()); }
    bool take_any(std::string_view letters) { return !text_.empty() && letters.find(text_.front()) != letters.npos && skip(1); }

    // [-+ 0]* width? letter. A width of more than three digits is none that guests read to its end.
    std::optional<Printed> conversion() {
        while (take_any("-+ 0")) {}
        for (int digits = 0; take_any("0123456789"); ++digits) {
            if (digits == 3) return std::nullopt;
        }
        if (take('s')) return Printed::text;
        if (take('p')) return pointer();
        if (take('c')) return Printed::itself;
        if (take('l')) (void)take('l');
        return take_any("diuxX") ? std::optional{Printed::itself} : std::nullopt;
    }
    std::optional<Printed> pointer() {
        if (take("ks") || take("us")) return Printed::text;
        if (take("i4") || take("I4")) return Printed::four_bytes;
        if (take("i6") || take("I6")) return Printed::sixteen_bytes;
        if (take_any("xKsSB")) return Printed::itself;
        const bool goes_on = !text_.empty() && (text_.front() == 'i' || text_.front() == 'I' || text_.front() == 'k' || text_.front() == 'u');
        return goes_on ? std::nullopt : std::optional{Printed::itself};
    }

    std::string_view text_;
};

// `text` is a constant (string_argument).
std::vector<Printed> printed_by(const Program& program, const Value& text, const Term& place) {
    const Map& map = program.values_of(static_cast<std::size_t>(std::countr_zero(text.object)));
    const std::string_view data{reinterpret_cast<const char*>(map.data.data()), map.data.size()};
    const std::string_view rest = data.substr(static_cast<std::size_t>(place.offset));
    return Format{rest.substr(0, rest.find('\0'))}.conversions();
}

}  // namespace

// A text is read byte by byte up to a NUL byte, as far as the program may read. Only the stack holds anything but numbers: there it
// must end before what is no number, and its end must not be printed over while it is read.
void Step::printed_text(const Value& text) const {
    if (text.kind != Kind::stack) return access(text, 1, Use::read);
    const Term place = state_.settled(text.term);
    demand(!text.may_be_null() && place.symbol == zero && place.offset >= -std::int64_t{frame_size} && text.object < state_.frames.size(), "a text at an unknown place of the stack");
    const Frame& frame = state_.frames[text.object];
    for (auto at = static_cast<unsigned>(place.offset + frame_size); at < frame_size; ++at) {
        demand(frame.numbers.test(at) && !may_be_printed_over(text, at), "a text on the stack may go on into an address");
        const Cell* cell = frame.around(at, 1);
        const auto word = cell == nullptr ? std::nullopt : state_.constant(cell->value);
        if (word && (*word >> (8 * (at - cell->start)) & 0xff) == 0) return;
    }
    refuse("a text on the stack has no NUL byte");
}
bool Step::may_be_printed_over(const Value& text, unsigned at) const {
    const Value &output = state_.reg[1], &room = state_.reg[2];
    if (output.kind != Kind::stack || output.object != text.object) return false;
    const auto start = state_.range(output.term);
    const std::int64_t place = std::int64_t{at} - frame_size;
    return place >= start.low && place < start.high + state_.range(room.term).high;
}

// Other arrays of values than some whole words at a known place of a frame hold numbers only.
void Step::printed_argument(const abi::HelperRow& row, const Value& values, unsigned number) {
    const auto size = state_.constant(reg(number + 1));
    const Term place = state_.settled(values.term);
    const bool in_a_frame = values.kind == Kind::stack && !values.may_be_null() && values.object < state_.frames.size() && place.symbol == zero;
    const bool whole = size && *size % 8 == 0 && *size <= 8 * abi::max_format_values;
    if (!in_a_frame || !whole || place.offset < -std::int64_t{frame_size} || place.offset + static_cast<std::int64_t>(*size) > 0) {
        return sized_argument(values, number, true, Use::read);
    }
    const Frame& frame = state_.frames[values.object];
    const auto first = static_cast<unsigned>(place.offset + frame_size);
    const bool for_the_program = row.helper == abi::Helper::snprintf;
    const auto printed = for_the_program ? printed_by(program_, state_.reg[3], state_.settled(state_.reg[3].term)) : std::vector<Printed>{};
    for (unsigned i = 0; i < *size / 8; ++i) {
        if (frame.all_numbers(first + 8 * i, 8)) continue;
        const Cell* cell = frame.exact(first + 8 * i, 8);
        demand(cell != nullptr && cell->value.is_address(), "a value to be printed is neither a number nor an address");
        if (!for_the_program) continue;
        demand(i < printed.size() && printed[i] != Printed::itself, "a text for the program would tell it an address");
        if (printed[i] == Printed::text) printed_text(cell->value);
        else access(cell->value, printed[i] == Printed::four_bytes ? 4 : 16, Use::read);
    }
}

}  // namespace unibpf::certificate
