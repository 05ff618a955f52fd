#include "guest/elements/ip/lookup/ip_lookup.hpp"

#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf {

namespace {

const IpLookup& lookup(const Element& element) { return static_cast<const IpLookup&>(element); }
IpLookup& lookup(Element& element) { return static_cast<IpLookup&>(element); }

void put_address(Text& out, std::uint32_t value) {
    IpAddress bytes{};
    wire::store32(bytes.data(), value);
    handler_values::put(out, bytes);
}

void put_route(Text& out, const Route& route) {
    put_address(out, route.address);
    out.put('/').number(static_cast<unsigned>(__builtin_popcount(route.mask))).put('\t');
    if (route.gateway == 0) out.put('-');
    else put_address(out, route.gateway);
    out.put('\t').number(route.port);
}

void read_table(const Element& element, Text& out) {
    const RouteTable& table = lookup(element).table();
    for (std::size_t i = 0; i < table.size(); ++i) {
        put_route(out, table[i]);
        out.put('\n');
    }
}

Status query_route(Element& element, std::string_view argument, Text& out) {
    IpAddress address{};
    if (!read_word(argument, address)) return Error{"handler", "expected an IP address"};
    const Route* route = lookup(element).table().find(wire::load32(address.data()));
    if (!route) return out.put("-1"), done();
    out.number(route->port);
    if (route->gateway != 0) put_address(out.put(' '), route->gateway);
    return done();
}

constexpr Handler count_rows[] = {count_handler, drops_handler, {"table", read_table, nullptr}, {"lookup", nullptr, nullptr, query_route}};
constexpr Handler all_rows[] = {
    count_handler,
    drops_handler,
    {"table", read_table, nullptr},
    {"lookup", nullptr, nullptr, query_route},
    {"add", nullptr, [](Element& e, std::string_view text) { return lookup(e).add(text, false); }},
    {"set", nullptr, [](Element& e, std::string_view text) { return lookup(e).add(text, true); }},
    {"remove", nullptr, [](Element& e, std::string_view text) { return lookup(e).remove(text); }},
    {"ctrl", nullptr, [](Element& e, std::string_view text) { return lookup(e).control(text); }},
    {"flush", nullptr, [](Element& e, std::string_view) { return lookup(e).flush(), done(); }},
};

Status status_of(RouteTable::Change change) {
    switch (change) {
        case RouteTable::Change::exists: return Error{"handler", "another route has that prefix"};
        case RouteTable::Change::missing: return Error{"handler", "no route is like that"};
        case RouteTable::Change::memory: return Error{"memory", "no memory for the table"};
        case RouteTable::Change::done: break;
    }
    return done();
}

}  // namespace

constinit const ElementClass StaticIPLookup::class_row{
    "StaticIPLookup", "1/-", "h/h", "ADDR/MASK [GW] OUT, ...", "routes packets by a table that stays", count_rows, reason_list<DropReason::no_route>, create_element<StaticIPLookup>};
constinit const ElementClass LinearIPLookup::class_row{
    "LinearIPLookup", "1/-", "h/h", "ADDR/MASK [GW] OUT, ...", "routes packets by a table", all_rows, reason_list<DropReason::no_route>, create_element<LinearIPLookup>};
constinit const ElementClass RadixIPLookup::class_row{
    "RadixIPLookup", "1/-", "h/h", "ADDR/MASK [GW] OUT, ...", "routes packets by a large table", all_rows, reason_list<DropReason::no_route>, create_element<RadixIPLookup>};
constinit const ElementClass DirectIPLookup::class_row{
    "DirectIPLookup", "1/-", "h/h", "ADDR/MASK [GW] OUT, ...", "routes packets by a large table, as RadixIPLookup", all_rows, reason_list<DropReason::no_route>, create_element<DirectIPLookup>};
constinit const ElementClass RangeIPLookup::class_row{
    "RangeIPLookup", "1/-", "h/h", "ADDR/MASK [GW] OUT, ...", "routes packets by a large table, as RadixIPLookup", all_rows, reason_list<DropReason::no_route>, create_element<RangeIPLookup>};

// `ADDR/MASK [GW] OUT`; of a route that is to be removed the prefix is enough.
bool IpLookup::read_route(std::string_view text, Route& route, bool whole) const {
    IpPrefix prefix;
    IpAddress gateway{};
    if (!read_word(next_word(text), prefix)) return false;
    route.mask = wire::load32(prefix.mask.data());
    route.address = wire::load32(prefix.address.data()) & route.mask;
    if ((~route.mask & (~route.mask + 1)) != 0) return false;  // ones, then zeroes
    std::string_view word = next_word(text), after = next_word(text);
    if (!after.empty() || word == "-") {
        if (word != "-" && !read_word(word, gateway)) return false;
        word = after;
    }
    route.gateway = wire::load32(gateway.data());
    if (word.empty()) return !whole;
    return read_word(word, route.port) && next_word(text).empty();
}

void IpLookup::configure(Args& args) {
    while (const Arg* arg = args.next()) {
        Route route;
        if (arg->text.empty()) continue;
        if (!read_route(arg->text, route, true))
            args.errors().add(arg->place, "`", name(), "`: got `", arg->text, "`, expected a route such as `10.0.0.0/8 0` or `0.0.0.0/0 10.0.0.1 1`");
        else if (route.port >= outputs())
            args.errors().add(arg->place, "`", name(), "`: got output ", route.port, ", expected less than ", outputs());
        else if (!table_.append(route)) return args.error("no memory for the table");
    }
}

void IpLookup::initialize(Environment&, Errors& errors) {
    if (!table_.settle()) errors.add(place(), "`", name(), "`: no memory for ", table_.size(), " routes");
}

void IpLookup::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t i = 0;
    for (Packet& packet : batch) {
        const Route* route = table_.find(__builtin_bswap32(packet.destination_ip));
        ports[i++] = route ? static_cast<std::uint16_t>(route->port) : 0xffff;
        if (route && route->gateway != 0) packet.destination_ip = __builtin_bswap32(route->gateway);
    }
    distribute(std::move(batch), ports, DropReason::no_route);
}

Status IpLookup::change(RouteTable& table, std::string_view command, std::string_view text) const {
    Route route;
    const bool adds = command == "add" || command == "set";
    if (!adds && command != "remove") return Error{"handler", "expected `add`, `set` or `remove`"};
    if (!read_route(text, route, adds)) return Error{"handler", "expected a route such as `10.0.0.0/8 0`"};
    if (route.port >= outputs()) return Error{"handler", "no such output", route.port};
    if (adds) return status_of(table.add(route, command == "set"));
    next_word(text);
    return status_of(table.remove(route, !next_word(text).empty()));
}

Status IpLookup::add(std::string_view text, bool replace) {
    changed_ = true;
    return change(table_, replace ? "set" : "add", text);
}

Status IpLookup::remove(std::string_view text) {
    changed_ = true;
    return change(table_, "remove", text);
}

Status IpLookup::control(std::string_view text) {
    RouteTable next;
    for (std::size_t i = 0; i < table_.size(); ++i)
        if (!next.append(table_[i])) return status_of(RouteTable::Change::memory);
    if (!next.settle()) return status_of(RouteTable::Change::memory);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = slice(text, 0, end);
        text = end == std::string_view::npos ? std::string_view{} : slice(text, end + 1);
        const std::string_view command = next_word(line);
        if (!command.empty()) TRY(change(next, command, line));
    }
    table_.swap(next);
    changed_ = true;
    return done();
}

void IpLookup::take_state(Element& old_element) {
    auto& old = static_cast<IpLookup&>(old_element);
    if (!old.changed_ || old.configuration() != configuration() || old.outputs() != outputs()) return;
    table_.swap(old.table_);
    changed_ = true;
}

}  // namespace unibpf
