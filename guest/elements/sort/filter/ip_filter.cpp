#include "guest/elements/sort/filter/ip_filter.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/elements/sort/filter/pattern.hpp"

namespace unibpf {

namespace {
template <typename E>
constexpr Handler handler_rows[] = {
    count_handler,
    drops_handler,
    {"program", [](const Element& e, Text& out) { static_cast<const E&>(e).program().print(out); }, nullptr},
    reset_handler<E>,
};
}  // namespace

constinit const ElementClass IPClassifier::class_row{
    "IPClassifier", "1/-", "h/h", "PATTERN, ...", "sorts IPv4 packets by patterns", handler_rows<IPClassifier>, reason_list<DropReason::no_match>, create_element<IPClassifier>};
constinit const ElementClass IPFilter::class_row{
    "IPFilter", "1/-", "h/h", "ACTION PATTERN, ...", "lets IPv4 packets pass by rules", handler_rows<IPFilter>, reason_list<DropReason::denied>, create_element<IPFilter>};

void PatternSorter::build(std::span<const Rule> rules, Args& args) {
    Arena arena;
    const std::span<const Expression*> patterns = arena.array<const Expression*>(rules.size());
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        PatternFault fault;
        patterns[i] = parse_pattern(rules[i].pattern, arena, fault);
        if (patterns[i]) continue;
        if (fault.got.empty()) args.errors().add(rules[i].place, "`", name(), "`: pattern ends, expected ", fault.expected);
        else args.errors().add(rules[i].place, "`", name(), "`: got `", fault.got, "`, expected ", fault.expected);
    }
    std::uint16_t next = DecisionProgram::nowhere;
    for (std::size_t i = patterns.size(); i-- > 0;)
        if (patterns[i]) next = compile(*patterns[i], rules[i].target, next, program_, arena);
    if (arena.exhausted() || !program_.finish(next)) args.error("no memory for ", rules.size(), " patterns");
}

void PatternSorter::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t i = 0;
    for (Packet& packet : batch) ports[i++] = program_.run(packet);
    distribute(std::move(batch), ports, reason_);
}

void IPClassifier::configure(Args& args) {
    const std::size_t count = args.left();
    if (count == 0) args.error("missing argument `PATTERN`");
    if (count != outputs()) args.error("got ", outputs(), " connected outputs, expected one for each of ", count, " patterns");
    OwnedArray<Rule> rules = make_array<Rule>(count);
    if (!rules || count > DecisionProgram::leaf / 2) return args.error("no memory for ", count, " patterns");
    std::size_t i = 0;
    for (; const Arg* arg = args.next(); ++i) rules[i] = {arg->text, static_cast<std::uint16_t>(DecisionProgram::leaf | i), arg->place};
    build(rules.span(), args);
}

bool IPFilter::read_action(std::string_view word, std::uint16_t& target) const {
    std::uint16_t port = 0;
    if (word == "drop" || (word == "deny" && outputs() < 2)) return target = DecisionProgram::nowhere, true;
    if (word == "deny") port = 1;
    else if (word != "allow" && (!read_word(word, port) || port >= outputs())) return false;
    return target = static_cast<std::uint16_t>(DecisionProgram::leaf | port), true;
}

void IPFilter::configure(Args& args) {
    set_reason(DropReason::denied);
    const std::size_t count = args.left();
    OwnedArray<Rule> rules = make_array<Rule>(count);
    if (!rules) return args.error("no memory for ", count, " rules");
    std::size_t made = 0;
    while (const Arg* arg = args.next()) {
        std::string_view rest = arg->text;
        if (rest.empty()) continue;
        const std::string_view action = next_word(rest);
        Rule& rule = rules[made++];
        rule = {rest, DecisionProgram::nowhere, arg->place};
        if (!read_action(action, rule.target))
            args.errors().add(arg->place, "`", name(), "`: got `", action, "`, expected `allow`, `deny`, `drop` or an output below ", outputs());
    }
    build(rules.span().first(made), args);
}

}  // namespace unibpf
