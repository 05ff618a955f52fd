#include "guest/elements/arp/arp_print.hpp"

#include <algorithm>

#include "guest/elements/handlers.hpp"
#include "guest/wire/arp.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_label = 64;
constexpr Handler handler_rows[] = {count_handler, setting_handler<ARPPrint, &ARPPrint::active, &ARPPrint::set_active>("active")};

void put_ip(Text& line, std::span<const std::uint8_t> bytes) {
    IpAddress address{};
    std::copy_n(bytes.begin(), address.size(), address.begin());
    handler_values::put(line, address);
}
void put_ether(Text& line, std::span<const std::uint8_t> bytes) {
    EtherAddress address{};
    std::copy_n(bytes.begin(), address.size(), address.begin());
    handler_values::put(line, address);
}
void put_time(Text& line, std::uint64_t ns) {
    line.number(ns / 1'000'000'000).put('.');
    std::uint64_t rest = ns / 1'000 % 1'000'000;
    for (std::uint64_t unit = 100'000; unit > 0; rest %= unit, unit /= 10) line.number(rest / unit);
    line.put(": ");
}

}  // namespace

constinit const ElementClass ARPPrint::class_row{
    "ARPPrint", "1/1", "a/a", "[LABEL] [, TIMESTAMP, ETHER, ACTIVE]", "writes ARP packets to the console", handler_rows, {}, create_element<ARPPrint>};

void ARPPrint::configure(Args& args) {
    args.optional("LABEL", label_);
    args.keyword("TIMESTAMP", timestamp_);
    args.keyword("ETHER", ether_);
    args.keyword("ACTIVE", active_);
    if (label_.size() > max_label) args.error("label is longer than ", max_label, " bytes");
}

void ARPPrint::initialize(Environment& environment, Errors&) { write_ = environment.print; }

void ARPPrint::print(const Packet& packet) const {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (!frame || frame.type() != wire::EtherType::arp) return;
    char buffer[max_label + 192];
    Text line{buffer};
    if (!label_.empty()) line.put(label_).put(": ");
    if (timestamp_) put_time(line, packet.arrival_ns);
    if (ether_) {
        put_ether(line, frame.source());
        put_ether(line.put(" > "), frame.destination());
        line.put(": ");
    }
    const auto arp = wire::view<wire::Arp>(frame.payload());
    if (!arp || !arp.is_ipv4_over_ethernet()) {
        line.put("arp of another kind");
    } else if (arp.operation() == wire::ArpOperation::request) {
        put_ip(line.put("arp who-has "), arp.target_ip());
        put_ip(line.put(" tell "), arp.sender_ip());
    } else if (arp.operation() == wire::ArpOperation::reply) {
        put_ip(line.put("arp reply "), arp.sender_ip());
        put_ether(line.put(" is-at "), arp.sender_ether());
    } else {
        line.put("arp op ").number(static_cast<unsigned>(arp.operation()));
    }
    write_(line.put('\n').view());
}

void ARPPrint::process(Batch& batch) {
    if (!active_ || !write_) return;
    for (const Packet& packet : batch) print(packet);
}

}  // namespace unibpf
