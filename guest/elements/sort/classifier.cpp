#include "guest/elements/sort/classifier.hpp"

#include <algorithm>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_offset = Packet::slot_bytes;

constexpr Handler handler_rows[] = {count_handler, drops_handler, reset_handler<Classifier>};

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Two digits for each byte into `bytes`; a `?` leaves its half of `mask` open. 0: not that, or too long.
std::size_t parse_hex(std::string_view text, std::uint8_t* bytes, std::uint8_t* mask) {
    if (text.empty() || text.size() % 2 || text.size() > 2 * Classifier::Clause::most_clause_bytes) return 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool any = text[i] == '?' && mask;
        const int digit = any ? 0 : hex_digit(text[i]);
        if (digit < 0) return 0;
        const int shift = i % 2 ? 0 : 4;
        bytes[i / 2] = static_cast<std::uint8_t>(bytes[i / 2] | digit << shift);
        if (mask) mask[i / 2] = static_cast<std::uint8_t>(mask[i / 2] | (any ? 0 : 15) << shift);
    }
    return text.size() / 2;
}

bool parse_offset(std::string_view text, std::uint16_t& offset) {
    std::size_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + static_cast<std::size_t>(c - '0');
        if (value > max_offset) return false;
    }
    offset = static_cast<std::uint16_t>(value);
    return !text.empty();
}

// "12/0800", "!12/0800", "33/02%12"
bool parse_clause(std::string_view text, Classifier::Clause& clause) {
    if (text.starts_with('!')) {
        clause.negated = true;
        text.remove_prefix(1);
    }
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || !parse_offset(slice(text, 0, slash), clause.offset)) return false;
    text = slice(text, slash + 1);
    const std::size_t percent = text.find('%');
    const std::size_t length = parse_hex(slice(text, 0, percent), clause.value.data(), clause.mask.data());
    if (percent != std::string_view::npos) {
        std::array<std::uint8_t, Classifier::Clause::most_clause_bytes> mask{};
        if (parse_hex(slice(text, percent + 1), mask.data(), nullptr) != length) return false;
        for (std::size_t i = 0; i < length; ++i) clause.mask[i] &= mask[i];
    }
    for (std::size_t i = 0; i < length; ++i) clause.value[i] &= clause.mask[i];
    clause.length = static_cast<std::uint8_t>(length);
    return length > 0;
}

}  // namespace

constinit const ElementClass Classifier::class_row{
    "Classifier", "1/-", "h/h", "PATTERN, ...", "sorts packets by their contents", handler_rows,
    reason_list<DropReason::no_match>, create_element<Classifier>};

bool Classifier::Clause::matches(const Packet& packet) const {
    if (length == 0) return true;
    if (offset + length > packet.length()) return false;
    const std::uint8_t* at = packet.data() + offset;
    for (std::size_t i = 0; i < length; ++i)
        if ((at[i] & mask[i]) != value[i]) return negated;
    return !negated;
}

void Classifier::configure(Args& args) {
    const std::size_t patterns = args.left();
    if (patterns == 0) args.error("missing argument `PATTERN`");
    if (patterns != outputs()) args.error("got ", outputs(), " connected outputs, expected one for each of ", patterns, " patterns");
    if (patterns > max_ports) return;  // reported just now: outputs are fewer
    std::uint8_t output = 0;
    while (const Arg* arg = args.next()) add_pattern(arg->text, *arg, output++, args);
}

void Classifier::add_pattern(std::string_view pattern, const Arg& arg, std::uint8_t output, Args& args) {
    if (pattern.empty()) args.errors().add(arg.place, "`", name(), "`: empty pattern, expected `-` or `offset/value`");
    while (!pattern.empty()) {
        const std::string_view word = next_word(pattern);
        if (word.empty()) break;
        Clause clause;
        clause.output = output;
        if (word != "-" && !parse_clause(word, clause))
            args.errors().add(arg.place, "`", name(), "`: got `", word, "`, expected `offset/value` with at most 16 hexadecimal bytes");
        if (!append(clause)) return args.error("no memory for ", count_, " clauses");
    }
}

bool Classifier::append(const Clause& clause) {
    if (count_ == clauses_.size()) {
        OwnedArray<Clause> longer = make_array<Clause>(2 * count_ + 4);
        if (!longer) return false;
        std::copy_n(clauses_.begin(), count_, longer.begin());
        clauses_ = std::move(longer);
    }
    clauses_[count_++] = clause;
    return true;
}

std::uint16_t Classifier::classify(const Packet& packet) const {
    std::size_t i = 0;
    while (i < count_) {
        const std::uint8_t output = clauses_[i].output;
        bool all = true;
        for (; i < count_ && clauses_[i].output == output; ++i) all = all && clauses_[i].matches(packet);
        if (all) return output;
    }
    return no_clause;
}

void Classifier::push(unsigned, Batch&& batch) {
    std::uint16_t outputs[Batch::most_packets];
    std::size_t i = 0;
    for (const Packet& packet : batch) outputs[i++] = classify(packet);
    distribute(std::move(batch), outputs, DropReason::no_match);
}

}  // namespace unibpf
