#include "guest/elements/arp/arp_responder.hpp"

#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/wire/arp.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass ARPResponder::class_row{
    "ARPResponder", "1/1-2", "a/ah", "IP[/MASK] ... ETHER, ...", "answers ARP requests", handler_rows,
    reason_list<DropReason::not_ours>, create_element<ARPResponder>};

void ARPResponder::configure(Args& args) {
    if (args.left() == 0) args.error("missing argument `IP ETHER`");
    while (const Arg* arg = args.next()) add_entries(*arg, args);
}

void ARPResponder::add_entries(const Arg& arg, Args& args) {
    const std::size_t first = count_;
    std::string_view rest = arg.text;
    Entry entry;
    while (!rest.empty()) {
        const std::string_view word = next_word(rest);
        const bool ip = read_word(word, entry.prefix), ether = read_word(word, entry.ether);  // a name of AddressInfo may be both
        if (ip) {
            if (count_ == max_addresses) return args.error("more than ", max_addresses, " addresses");
            entries_[count_++].prefix = entry.prefix;
        } else if (!ether) {
            entry.device = word;
        }
    }
    const bool whole = count_ > first && (!entry.device.empty() || entry.ether != EtherAddress{});
    if (!whole) args.errors().add(arg.place, "`", name(), "`: got `", arg.text, "`, expected IP addresses and an Ethernet address");
    for (std::size_t i = first; i < count_; ++i) {
        entries_[i].ether = entry.ether;
        entries_[i].device = entry.device;
    }
}

void ARPResponder::initialize(Environment& environment, Errors& errors) {
    for (std::size_t i = 0; i < count_; ++i) {
        if (entries_[i].device.empty()) continue;
        if (const Nic* nic = graph_nic(entries_[i].device, *this, environment, errors)) entries_[i].ether = nic->mac();
    }
}

const ARPResponder::Entry* ARPResponder::find(const std::uint8_t* ip) const {
    for (std::size_t e = 0; e < count_; ++e) {
        const IpPrefix& prefix = entries_[e].prefix;
        bool same = true;
        for (std::size_t i = 0; i < prefix.address.size(); ++i) same = same && ((ip[i] ^ prefix.address[i]) & prefix.mask[i]) == 0;
        if (same) return &entries_[e];
    }
    return nullptr;
}

// RFC 826, "Packet Reception": a request for us becomes the reply, in place.
bool ARPResponder::answer(Packet& packet) const {
    const auto frame = wire::view<wire::Ethernet>(packet.bytes());
    if (!frame || frame.type() != wire::EtherType::arp) return false;
    const auto arp = wire::view<wire::Arp>(frame.payload());
    if (!arp || !arp.is_ipv4_over_ethernet() || arp.operation() != wire::ArpOperation::request) return false;
    const Entry* entry = find(arp.target_ip().data());
    if (!entry) return false;
    arp.set_operation(wire::ArpOperation::reply);
    frame.set_destination(arp.sender_ether());
    frame.set_source(entry->ether);
    arp.set_target_ether(arp.sender_ether());
    arp.set_sender_ether(entry->ether);
    arp.swap_ips();
    return true;
}

void ARPResponder::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return answer(packet); }, DropReason::not_ours);
}

}  // namespace unibpf
