#include "guest/elements/sort/filter/decision.hpp"

#include <array>

namespace unibpf {

namespace {

using Compare = WordTest::Compare;

// What is known of one word.
struct Fact {
    WordTest test;
    bool holds = false;

    bool operator==(const Fact& other) const {
        return test.base == other.test.base && test.offset == other.test.offset && test.compare == other.test.compare && test.mask == other.test.mask &&
               test.value == other.test.value && holds == other.holds;
    }
};

enum class Answer : std::uint8_t {
    unknown,
    yes,
    no
};

Answer answer_by_equality(const Fact& fact, const WordTest& test) {
    const std::uint32_t common = fact.test.mask & test.mask;
    if (fact.holds) {
        if (common == test.mask) {
            const std::uint32_t word = fact.test.value & test.mask;
            return (test.compare == Compare::equal ? word == test.value : word > test.value) ? Answer::yes : Answer::no;
        }
        const bool contradicts = test.compare == Compare::equal && (fact.test.value & common) != (test.value & common);
        return contradicts ? Answer::no : Answer::unknown;
    }
    // The test's yes would make the fact's test true as well.
    const bool implies = test.compare == Compare::equal && common == fact.test.mask && (test.value & common) == fact.test.value;
    return implies ? Answer::no : Answer::unknown;
}

Answer answer_by_order(const Fact& fact, const WordTest& test) {
    if (fact.test.mask != test.mask) return Answer::unknown;
    if (fact.holds) {  // word > fact.value
        if (test.compare == Compare::above) return test.value <= fact.test.value ? Answer::yes : Answer::unknown;
        return test.value <= fact.test.value ? Answer::no : Answer::unknown;
    }
    if (test.compare == Compare::above) return test.value >= fact.test.value ? Answer::no : Answer::unknown;
    return test.value > fact.test.value ? Answer::no : Answer::unknown;
}

class Facts {
  public:
    void learn(const WordTest& test, bool holds) {
        if (count_ == most) {
            for (std::size_t i = 1; i < most; ++i) facts_[i - 1] = facts_[i];
            --count_;
        }
        facts_[count_++] = {test, holds};
    }
    Answer ask(const WordTest& test) const {
        for (std::size_t i = 0; i < count_; ++i) {
            const Fact& fact = facts_[i];
            if (fact.test.base != test.base || fact.test.offset != test.offset) continue;
            const Answer answer = fact.test.compare == Compare::equal ? answer_by_equality(fact, test) : answer_by_order(fact, test);
            if (answer != Answer::unknown) return answer;
        }
        return Answer::unknown;
    }
    void keep_common(const Facts& other) {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count_; ++i)
            if (other.knows(facts_[i])) facts_[kept++] = facts_[i];
        count_ = kept;
    }

  private:
    static constexpr std::size_t most = 12;
    bool knows(const Fact& fact) const {
        for (std::size_t i = 0; i < count_; ++i)
            if (facts_[i] == fact) return true;
        return false;
    }

    std::array<Fact, most> facts_{};
    std::size_t count_ = 0;
};

struct Reached {
    bool any = false;
    Facts facts;
};

}  // namespace

std::uint16_t DecisionProgram::add(const WordTest& test, std::uint16_t yes, std::uint16_t no, Arena& scratch) {
    if (yes == no) return yes;
    if (made_.size() >= most_tests || !made_.append(scratch, Node{test, yes, no})) return nowhere;
    return static_cast<std::uint16_t>(made_.size() - 1);
}

bool DecisionProgram::finish(std::uint16_t start) {
    if (start >= leaf) return made_ = {}, start_ = start, true;
    OwnedArray<Node> nodes = make_array<Node>(made_.size());
    if (!nodes) return false;
    std::size_t i = 0;
    for (const Node& node : made_) nodes[i++] = node;
    made_ = {};
    return optimize(nodes.span(), start) && number(nodes.span(), start);
}

// Tests lead to lower indices alone, so by falling index every way to a test is known before it.
bool DecisionProgram::optimize(std::span<Node> nodes, std::uint16_t& start) const {
    OwnedArray<Reached> reached = make_array<Reached>(nodes.size());
    if (!reached) return false;
    auto follow = [&](std::uint16_t to, const Facts& facts) {
        while (to < leaf) {
            const Answer answer = facts.ask(nodes[to].test);
            if (answer == Answer::unknown) break;
            to = answer == Answer::yes ? nodes[to].yes : nodes[to].no;
        }
        if (to >= leaf) return to;
        if (reached[to].any) reached[to].facts.keep_common(facts);
        else reached[to] = {true, facts};
        return to;
    };
    start = follow(start, {});
    for (std::size_t i = nodes.size(); i-- > 0;) {
        if (!reached[i].any) continue;
        for (const bool yes : {true, false}) {
            Facts facts = reached[i].facts;
            facts.learn(nodes[i].test, yes);
            std::uint16_t& to = yes ? nodes[i].yes : nodes[i].no;
            to = follow(to, facts);
        }
    }
    return true;
}

// The tests that can be reached, in the order of a run.
bool DecisionProgram::number(std::span<const Node> nodes, std::uint16_t start) {
    OwnedArray<std::uint16_t> numbers = make_array<std::uint16_t>(nodes.size());
    if (!numbers) return false;
    for (std::uint16_t& number : numbers) number = nowhere;
    if (start < leaf) numbers[start] = 0;
    for (std::size_t i = nodes.size(); i-- > 0;) {
        if (numbers[i] == nowhere) continue;
        numbers[i] = static_cast<std::uint16_t>(size_++);
        for (const std::uint16_t to : {nodes[i].yes, nodes[i].no})
            if (to < leaf) numbers[to] = 0;
    }
    steps_ = make_array<Step>(size_);
    if (!steps_) return false;
    auto target = [&](std::uint16_t to) { return to < leaf ? numbers[to] : to; };
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (numbers[i] == nowhere) continue;
        const WordTest& test = nodes[i].test;
        const std::uint32_t value = test.compare == Compare::equal ? __builtin_bswap32(test.value) : test.value;
        steps_[numbers[i]] = {__builtin_bswap32(test.mask), value, test.offset, test.base, test.compare, target(nodes[i].yes), target(nodes[i].no)};
    }
    start_ = target(start);
    return true;
}

static void put_target(Text& out, std::uint16_t to) {
    if (to == DecisionProgram::nowhere) out.put("[X]");
    else if (to >= DecisionProgram::leaf) out.put('[').number(to & ~unsigned{DecisionProgram::leaf}).put(']');
    else out.put("step ").number(to);
}

static void put_word(Text& out, std::uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) out.hex_byte(static_cast<std::uint8_t>(word >> shift));
}

void DecisionProgram::print(Text& out) const {
    constexpr std::string_view bases[] = {"ip", "transp", "length"};
    if (start_ >= leaf) put_target(out.put("all->"), start_), out.put('\n');
    for (std::size_t i = 0; i < size_; ++i) {
        const Step& step = steps_[i];
        const bool equal = step.compare == Compare::equal;
        out.number(i).put("  ").put(bases[static_cast<unsigned>(step.base)]).put('+').number(step.offset).put(equal ? "/" : ">");
        put_word(out, equal ? __builtin_bswap32(step.value) : step.value);
        put_word(out.put('%'), __builtin_bswap32(step.mask));
        put_target(out.put("  yes->"), step.yes);
        put_target(out.put("  no->"), step.no);
        out.put('\n');
    }
}

}  // namespace unibpf
