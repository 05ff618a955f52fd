#include "guest/elements/sort/filter/primitive.hpp"

#include "guest/graph/args.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf {

// --- expressions ------------------------------------------------------------------------------------------------------

const Expression* ExpressionMaker::make(Expression::Kind kind, const Expression* first, const Expression* second, const Expression* third) {
    return arena_.create<Expression>(kind, false, WordTest{}, first, second, third);
}
const Expression* ExpressionMaker::constant(bool value) { return arena_.create<Expression>(Expression::Kind::constant, value, WordTest{}, nullptr, nullptr, nullptr); }
const Expression* ExpressionMaker::test(const WordTest& test) { return arena_.create<Expression>(Expression::Kind::test, false, test, nullptr, nullptr, nullptr); }
const Expression* ExpressionMaker::negation(const Expression* operand) {
    return operand ? make(Expression::Kind::negation, operand, nullptr, nullptr) : nullptr;
}
const Expression* ExpressionMaker::both(const Expression* first, const Expression* second) {
    return first && second ? make(Expression::Kind::conjunction, first, second, nullptr) : nullptr;
}
const Expression* ExpressionMaker::either(const Expression* first, const Expression* second) {
    return first && second ? make(Expression::Kind::alternative, first, second, nullptr) : nullptr;
}
const Expression* ExpressionMaker::choice(const Expression* first, const Expression* second, const Expression* third) {
    return first && second && third ? make(Expression::Kind::choice, first, second, third) : nullptr;
}
const Expression* ExpressionMaker::word(std::uint16_t offset, std::uint32_t mask, std::uint32_t value) {
    return test({WordTest::Base::network, WordTest::Compare::equal, offset, mask, value});
}

namespace {

constexpr int icmp = 1, tcp = 6, udp = 17;

struct Name {
    std::string_view text;
    std::uint32_t number;
};
constexpr Name protocols[] = {{"icmp", 1}, {"igmp", 2}, {"ipip", 4}, {"tcp", 6}, {"igp", 9}, {"udp", 17}, {"dccp", 33}, {"rsvp", 46}, {"gre", 47}, {"esp", 50}, {"ah", 51}, {"icmp6", 58}, {"ospf", 89}, {"pim", 103}, {"vrrp", 112}, {"sctp", 132}, {"udplite", 136}};
constexpr Name icmp_types[] = {{"echo-reply", 0}, {"echo_reply", 0}, {"unreachable", 3}, {"dst-unreachable", 3}, {"sourcequench", 4}, {"source_quench", 4}, {"redirect", 5}, {"echo", 8}, {"routeradvert", 9}, {"routersolicit", 10}, {"timeexceeded", 11}, {"time_exceeded", 11}, {"parameterproblem", 12}, {"parameter_problem", 12}, {"timestamp", 13}, {"timestamp-reply", 14}, {"inforeq", 15}, {"inforeq-reply", 16}, {"maskreq", 17}, {"maskreq-reply", 18}};
constexpr Name tcp_flags[] = {{"fin", 1}, {"syn", 2}, {"rst", 4}, {"psh", 8}, {"ack", 16}, {"urg", 32}, {"ece", 64}, {"cwr", 128}};
constexpr Name dscps[] = {{"be", 0}, {"ef", 46}, {"cs1", 8}, {"cs2", 16}, {"cs3", 24}, {"cs4", 32}, {"cs5", 40}, {"cs6", 48}, {"cs7", 56}, {"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38}};

struct KindName {
    std::string_view text;
    FieldKind kind;
};
constexpr KindName kinds[] = {{"host", FieldKind::host}, {"net", FieldKind::net}, {"port", FieldKind::port}, {"proto", FieldKind::protocol}, {"type", FieldKind::icmp_type}, {"code", FieldKind::icmp_code}, {"opt", FieldKind::tcp_flag}, {"win", FieldKind::tcp_window}, {"vers", FieldKind::version}, {"hl", FieldKind::header_length}, {"tos", FieldKind::type_of_service}, {"dscp", FieldKind::dscp}, {"ecn", FieldKind::ecn}, {"id", FieldKind::identification}, {"len", FieldKind::length}, {"ttl", FieldKind::time_to_live}};

template <std::size_t N>
const Name* lookup(const Name (&names)[N], std::string_view text) {
    for (const Name& name : names)
        if (name.text == text) return &name;
    return nullptr;
}

// Where the field of a kind is; `mask` says where in its word.
struct Field {
    WordTest::Base base = WordTest::Base::network;
    std::uint16_t offset = 0;
    std::uint32_t mask = 0;
};
Field field_of(FieldKind kind) {
    using Base = WordTest::Base;
    switch (kind) {
        case FieldKind::protocol: return {Base::network, 8, 0x00ff'0000};
        case FieldKind::version: return {Base::network, 0, 0xf000'0000};
        case FieldKind::header_length: return {Base::network, 0, 0x0f00'0000};
        case FieldKind::type_of_service: return {Base::network, 0, 0x00ff'0000};
        case FieldKind::dscp: return {Base::network, 0, 0x00fc'0000};
        case FieldKind::ecn: return {Base::network, 0, 0x0003'0000};
        case FieldKind::length: return {Base::network, 0, 0x0000'ffff};
        case FieldKind::identification: return {Base::network, 4, 0xffff'0000};
        case FieldKind::time_to_live: return {Base::network, 8, 0xff00'0000};
        case FieldKind::icmp_type: return {Base::transport, 0, 0xff00'0000};
        case FieldKind::icmp_code: return {Base::transport, 0, 0x00ff'0000};
        case FieldKind::tcp_window: return {Base::transport, 12, 0x0000'ffff};
        default: return {};
    }
}

enum class Relation : std::uint8_t {
    equal,
    unequal,
    less,
    greater,
    at_most,
    at_least
};

bool take_relation(Tokens& tokens, Relation& relation) {
    constexpr struct {
        std::string_view text;
        Relation relation;
    } relations[] = {{"=", Relation::equal}, {"==", Relation::equal}, {"!=", Relation::unequal}, {"<", Relation::less}, {">", Relation::greater}, {"<=", Relation::at_most}, {">=", Relation::at_least}};
    for (const auto& row : relations)
        if (tokens.take(row.text)) return relation = row.relation, true;
    return false;
}

const Expression* compare(ExpressionMaker& maker, const Field& field, Relation relation, std::uint32_t number) {
    const unsigned shift = static_cast<unsigned>(__builtin_ctz(field.mask));
    const std::uint32_t most = field.mask >> shift;
    auto above = [&](std::uint32_t than) {
        return than >= most ? maker.constant(false) : maker.test({field.base, WordTest::Compare::above, field.offset, field.mask, than << shift});
    };
    const Expression* equal = number > most ? maker.constant(false) : maker.test({field.base, WordTest::Compare::equal, field.offset, field.mask, number << shift});
    switch (relation) {
        case Relation::equal: return equal;
        case Relation::unequal: return maker.negation(equal);
        case Relation::greater: return above(number);
        case Relation::at_most: return maker.negation(above(number));
        case Relation::at_least: return number == 0 ? maker.constant(true) : above(number - 1);
        case Relation::less: return number == 0 ? maker.constant(false) : maker.negation(above(number - 1));
    }
    return nullptr;
}

// The same test of source, destination, both or either of them.
template <typename Make>
const Expression* directed(ExpressionMaker& maker, Direction direction, Make&& make) {
    if (direction == Direction::source) return make(true);
    if (direction == Direction::destination) return make(false);
    return direction == Direction::both ? maker.both(make(true), make(false)) : maker.either(make(true), make(false));
}

class PrimitiveReader {
  public:
    PrimitiveReader(Tokens& tokens, Qualifiers& last, ExpressionMaker& maker, std::string_view& expected)
        : tokens_{tokens}, last_{last}, maker_{maker}, expected_{expected} {}

    const Expression* read() {
        const std::string_view token = tokens_.peek();
        if (token.empty()) return failed("a pattern");
        if (token == "-" || token == "all" || token == "any" || token == "true") return tokens_.next(), maker_.constant(true);
        if (token == "none" || token == "false") return tokens_.next(), maker_.constant(false);
        if (token.find('[') != std::string_view::npos) return bytes();
        while (qualifier()) {}
        if (const Expression* made = word()) return made;
        if (!expected_.empty()) return nullptr;
        return value();
    }

  private:
    const Expression* failed(std::string_view expected) {
        if (expected_.empty()) expected_ = expected;
        return nullptr;
    }

    bool qualifier() {
        const std::string_view token = tokens_.peek();
        if (token == "src" || token == "dst") return direction(token);
        if (token == "ip") {
            given_ = ip_ = true;
            return tokens_.next(), true;
        }
        if (const Name* protocol = lookup(protocols, token); protocol && now_.kind == FieldKind::none && now_.protocol == Qualifiers::any_protocol) {
            now_.protocol = static_cast<int>(protocol->number);
            given_ = true;
            return tokens_.next(), true;
        }
        for (const KindName& kind : kinds) {
            if (kind.text != token || now_.kind != FieldKind::none) continue;
            now_.kind = kind.kind;
            given_ = true;
            return tokens_.next(), true;
        }
        return false;
    }

    bool direction(std::string_view token) {
        now_.direction = token == "src" ? Direction::source : Direction::destination;
        given_ = true;
        tokens_.next();
        const std::string_view joint = tokens_.peek(), other = tokens_.after();
        const bool both = joint == "and" || joint == "&&", either = joint == "or" || joint == "||";
        if ((!both && !either) || (other != "src" && other != "dst") || other == token) return true;
        // `src and dst port 80`, but not `src 1.2.3.4 and dst 5.6.7.8`, which does not come here
        now_.direction = both ? Direction::both : Direction::either;
        tokens_.next(), tokens_.next();
        return true;
    }

    bool value_follows() const {
        const std::string_view token = tokens_.peek();
        constexpr std::string_view ends[] = {"", ")", "and", "or", "&&", "||", "?", ":", "not", "!", "("};
        for (const std::string_view end : ends)
            if (token == end) return false;
        return true;
    }

    // Words that need no value.
    const Expression* word() {
        const std::string_view token = tokens_.peek();
        if (now_.kind == FieldKind::none) {
            if (token == "frag") return tokens_.next(), maker_.negation(maker_.word(4, 0x3fff, 0));
            if (token == "unfrag") return tokens_.next(), maker_.word(4, 0x3fff, 0);
            if (token == "ce") return tokens_.next(), maker_.word(0, 0x0003'0000, 0x0003'0000);
            if (token == "ect") return tokens_.next(), maker_.negation(maker_.word(0, 0x0003'0000, 0));
            if (const Name* flag = lookup(tcp_flags, token); flag && last_.kind != FieldKind::port) return tokens_.next(), last_ = {Direction::either, FieldKind::tcp_flag, tcp}, tcp_flag(flag->number);
        }
        if (!given_ || now_.kind != FieldKind::none || now_.direction != Direction::either) return nullptr;
        const bool data = value_follows() && is_value(token);
        if (data && !(ip_ && now_.protocol == Qualifiers::any_protocol)) return nullptr;
        if (now_.protocol != Qualifiers::any_protocol) return last_ = {Direction::either, FieldKind::protocol, Qualifiers::any_protocol}, maker_.protocol(now_.protocol);
        return ip_ && !data ? maker_.constant(true) : nullptr;
    }

    bool is_value(std::string_view token) const {
        IpPrefix prefix;
        PortNumber port;
        return read_word(token, prefix) || read_word(token, port) || (now_.protocol == icmp && lookup(icmp_types, token));
    }

    const Expression* value() {
        if (!given_) now_ = last_;
        Relation relation = Relation::equal;
        const bool related = take_relation(tokens_, relation);
        if (!value_follows()) return failed("a value");
        const std::string_view token = tokens_.peek();
        IpPrefix prefix;
        const bool address = read_word(token, prefix) && token.find('.') != std::string_view::npos;
        const bool named = !address && read_word(token, prefix) && !lookup(protocols, token) && now_.kind != FieldKind::port;
        if ((address || named) && (now_.kind == FieldKind::none || (!given_ && now_.kind != FieldKind::host && now_.kind != FieldKind::net))) {
            if (!given_) now_ = {};
            now_.kind = token.find('/') != std::string_view::npos ? FieldKind::net : FieldKind::host;
        }
        if (now_.kind == FieldKind::none && now_.protocol == icmp) now_.kind = FieldKind::icmp_type;
        if (now_.kind == FieldKind::none && (now_.protocol == tcp || now_.protocol == udp)) now_.kind = FieldKind::port;
        if (now_.kind == FieldKind::none) return failed("a pattern such as `src host 10.0.0.1` or `tcp port 80`");
        if (related && (now_.kind == FieldKind::host || now_.kind == FieldKind::net) && relation != Relation::equal && relation != Relation::unequal)
            return failed("`=` or `!=` before an address");
        const Expression* made = of_kind(relation);
        if (made) last_ = now_;
        return made;
    }

    const Expression* of_kind(Relation relation) {
        switch (now_.kind) {
            case FieldKind::host:
            case FieldKind::net: return addresses(relation);
            case FieldKind::port: return port(relation);
            case FieldKind::tcp_flag: return flag(relation);
            case FieldKind::protocol: return number(relation, protocols);
            case FieldKind::icmp_type: return number(relation, icmp_types);
            case FieldKind::dscp: return number(relation, dscps);
            default: return number(relation, nullptr);
        }
    }

    const Expression* addresses(Relation relation) {
        IpPrefix prefix;
        if (!read_word(tokens_.peek(), prefix)) return failed("an IP address such as `10.0.0.1`");
        tokens_.next();
        if (tokens_.take("mask")) {
            IpAddress mask{};
            if (!read_word(tokens_.peek(), mask)) return failed("a mask such as `255.255.0.0`");
            tokens_.next();
            prefix.mask = mask;
        }
        const std::uint32_t mask = wire::load32(prefix.mask.data()), value = wire::load32(prefix.address.data()) & mask;
        const Expression* made = directed(maker_, now_.direction, [&](bool source) { return maker_.word(source ? 12 : 16, mask, value); });
        const Expression* proper = relation == Relation::unequal ? maker_.negation(made) : made;
        return now_.protocol == Qualifiers::any_protocol ? proper : maker_.both(maker_.protocol(now_.protocol), proper);
    }

    const Expression* port(Relation relation) {
        PortNumber port;
        if (!read_word(tokens_.peek(), port)) return failed("a port");
        tokens_.next();
        const Expression* made = directed(maker_, now_.direction, [&](bool source) {
            return compare(maker_, {WordTest::Base::transport, 0, source ? 0xffff'0000 : 0x0000'ffff}, relation, port.number);
        });
        return maker_.transport(now_.protocol, made, 4);
    }

    const Expression* tcp_flag(std::uint32_t bit) {
        return maker_.transport(tcp, maker_.test({WordTest::Base::transport, WordTest::Compare::equal, 12, bit << 16, bit << 16}), 16);
    }

    const Expression* flag(Relation relation) {
        const Name* flag = lookup(tcp_flags, tokens_.peek());
        if (!flag) return failed("a TCP flag such as `syn`");
        tokens_.next();
        const Expression* made = tcp_flag(flag->number);
        return relation == Relation::unequal ? maker_.negation(made) : made;
    }

    template <std::size_t N>
    const Expression* number(Relation relation, const Name (&names)[N]) {
        const Name* name = lookup(names, tokens_.peek());
        if (!name) return number(relation, nullptr);
        tokens_.next();
        return number_test(relation, name->number);
    }
    const Expression* number(Relation relation, std::nullptr_t) {
        std::uint32_t value = 0;
        if (!read_word(tokens_.peek(), value)) return failed("a number");
        tokens_.next();
        return number_test(relation, value);
    }
    const Expression* number_test(Relation relation, std::uint32_t value) {
        const Field field = field_of(now_.kind);
        const Expression* made = compare(maker_, field, relation, value);
        if (field.base == WordTest::Base::network) return made;
        const bool of_tcp = now_.kind == FieldKind::tcp_window;
        return maker_.transport(of_tcp ? tcp : icmp, made, field.offset + 4u);
    }

    // `ip[6:2] & 0x1fff = 0`, `tcp[13] & 2 != 0`
    const Expression* bytes() {
        std::string_view token = tokens_.peek();
        const std::size_t open = token.find('[');
        const std::string_view base = slice(token, 0, open);
        std::string_view inside = slice(token, open + 1);
        if (!inside.ends_with(']')) return failed("`]`");
        inside.remove_suffix(1);
        const std::size_t colon = inside.find(':');
        std::uint32_t at = 0, size = 1;
        if (!read_word(slice(inside, 0, colon), at) || (colon != std::string_view::npos && !read_word(slice(inside, colon + 1), size)) || at > 2000 ||
            (size != 1 && size != 2 && size != 4))
            return failed("`[offset]` or `[offset:length]` with a length of 1, 2 or 4");
        const Name* protocol = lookup(protocols, base);
        if (base != "ip" && base != "transp" && !protocol) return failed("`ip`, `transp` or a protocol before `[`");
        tokens_.next();
        return compare_bytes(base == "ip", protocol ? static_cast<int>(protocol->number) : Qualifiers::any_protocol, at, size);
    }

    const Expression* compare_bytes(bool ip, int protocol, std::uint32_t at, std::uint32_t size) {
        Relation relation = Relation::unequal;
        std::uint32_t mask = 0, value = 0;
        const bool masked = tokens_.take("&");
        if (masked) {
            if (!read_word(tokens_.peek(), mask)) return failed("a mask");
            tokens_.next();
        }
        if (take_relation(tokens_, relation)) {
            if (!read_word(tokens_.peek(), value)) return failed("a number");
            tokens_.next();
        }
        // The word that ends with the last byte, or the first one.
        const std::uint32_t end = at + size < 4 ? 4 : at + size, shift = 8 * (end - at - size);
        const std::uint32_t all = size == 4 ? ~std::uint32_t{0} : ((1u << 8 * size) - 1);
        Field field{ip ? WordTest::Base::network : WordTest::Base::transport, static_cast<std::uint16_t>(end - 4), all << shift};
        const Expression* made = nullptr;
        if (!masked || (mask & all) == all) made = compare(maker_, field, relation, value);
        else if ((mask & all) == 0) made = maker_.constant((relation == Relation::equal) == (value == 0));
        else if (relation == Relation::equal || relation == Relation::unequal) {
            made = (value & ~(mask & all)) != 0 ? maker_.constant(false) : maker_.test({field.base, WordTest::Compare::equal, field.offset, (mask & all) << shift, value << shift});
            if (relation == Relation::unequal) made = maker_.negation(made);
        } else return failed("`=` or `!=` after a mask");
        if (!ip) return maker_.transport(protocol == Qualifiers::any_protocol ? 0x100 : protocol, made, end);
        return end <= 20 ? made : maker_.both(maker_.test({WordTest::Base::lengths, WordTest::Compare::above, 0, ~std::uint32_t{0}, end - 1}), made);
    }

    Tokens& tokens_;
    Qualifiers& last_;
    ExpressionMaker& maker_;
    std::string_view& expected_;
    Qualifiers now_;
    bool given_ = false;  // qualifiers
    bool ip_ = false;
};

}  // namespace

const Expression* ExpressionMaker::protocol(int number) {
    if (number == Qualifiers::any_protocol) return either(protocol(tcp), protocol(udp));
    return word(8, 0x00ff'0000, static_cast<std::uint32_t>(number) << 16);
}

const Expression* ExpressionMaker::transport(int protocol_number, const Expression* test_of_word, std::uint32_t bytes) {
    const Expression* first_fragment = word(4, 0x1fff, 0);
    const Expression* whole = test({WordTest::Base::lengths, WordTest::Compare::above, 4, ~std::uint32_t{0}, bytes - 1});
    const Expression* inside = both(both(first_fragment, whole), test_of_word);
    return protocol_number > 0xff ? inside : both(protocol(protocol_number), inside);
}

const Expression* read_primitive(Tokens& tokens, Qualifiers& last, ExpressionMaker& maker, std::string_view& expected) {
    return PrimitiveReader{tokens, last, maker, expected}.read();
}

}  // namespace unibpf
