#include "guest/elements/ip/rewrite/rewrite_input.hpp"

#include "guest/graph/args.hpp"
#include "guest/graph/text.hpp"
#include "guest/wire/fields.hpp"

namespace unibpf {

namespace {

bool read_address(std::string_view text, std::uint32_t& value) {
    IpAddress address{};
    if (!read_word(text, address)) return false;
    value = wire::load32(address.data());
    return true;
}

// `-`, an address, `A-B`, or `A/LEN`: then its hosts.
bool read_addresses(std::string_view text, std::uint32_t& first, std::uint32_t& last) {
    if (text == "-") return true;
    if (text.find('/') != std::string_view::npos) {
        IpPrefix prefix;
        if (!read_word(text, prefix)) return false;
        const std::uint32_t mask = wire::load32(prefix.mask.data());
        first = wire::load32(prefix.address.data()) & mask;
        last = first | ~mask;
        if (mask < 0xffff'fffe) ++first, --last;
        return true;
    }
    const std::size_t dash = text.find('-');
    if (!read_address(slice(text, 0, dash), first)) return false;
    if (dash == std::string_view::npos) return last = first, true;
    std::string_view end = slice(text, dash + 1);
    if (end.find('.') == std::string_view::npos) {  // `10.0.0.1-9`: the last byte alone
        std::uint8_t byte = 0;
        if (!read_word(end, byte)) return false;
        last = (first & ~0xffu) | byte;
    } else if (!read_address(end, last)) {
        return false;
    }
    return first <= last;
}

bool read_ports(std::string_view text, RewritePattern& pattern) {
    if (text == "-") return true;
    pattern.sequential = text.ends_with('#');
    pattern.random = text.ends_with('?');
    if (pattern.sequential || pattern.random) text.remove_suffix(1);
    const std::size_t dash = text.find('-');
    PortNumber first, last;
    if (!read_word(slice(text, 0, dash), first)) return false;
    last = first;
    if (dash != std::string_view::npos && !read_word(slice(text, dash + 1), last)) return false;
    pattern.source_port = first.number;
    pattern.last_source_port = last.number;
    return first.number > 0 && first.number <= last.number;
}

}  // namespace

std::uint64_t RewritePattern::variations() const {
    const std::uint64_t addresses = std::uint64_t{last_source} - source + 1, ports = std::uint64_t{last_source_port} - source_port + 1u;
    return addresses * ports;
}

FlowKey RewritePattern::apply(const FlowKey& key, std::uint64_t n) const {
    const std::uint64_t ports = std::uint64_t{last_source_port} - source_port + 1u;
    FlowKey after = key;
    if (source != 0) after.source = source + static_cast<std::uint32_t>(n / ports);
    if (source_port != 0) after.source_port = static_cast<std::uint16_t>(source_port + n % ports);
    if (destination != 0) after.destination = destination;
    if (destination_port != 0) after.destination_port = destination_port;
    return after;
}

bool read_pattern(std::string_view text, PatternForm form, RewritePattern& pattern) {
    if (!read_addresses(next_word(text), pattern.source, pattern.last_source)) return false;
    if (form.ports && !read_ports(next_word(text), pattern)) return false;
    const std::string_view destination = form.destination ? next_word(text) : "-", port = form.ports ? next_word(text) : "-";
    PortNumber number;
    if (destination != "-" && !read_address(destination, pattern.destination)) return false;
    if (port != "-" && (!read_word(port, number) || number.number == 0)) return false;
    pattern.destination_port = number.number;
    return next_word(text).empty();
}

}  // namespace unibpf
