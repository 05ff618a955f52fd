#include "guest/elements/arp/arp_responder.hpp"

#include <cstring>
#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/wire/wire.hpp"

namespace unibpf {

namespace {
constexpr Handler kHandlers[] = {kCountHandler, kDropsHandler};
}  // namespace

constinit const ElementClass ARPResponder::kClass{
    "ARPResponder", "1/1-2", "a/ah", "IP[/MASK] ... ETHER, ...", "answers ARP requests", kHandlers, create_element<ARPResponder>};

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
        if (read_word(word, entry.prefix)) {
            if (count_ == kMaxEntries) return args.error("more than ", kMaxEntries, " addresses");
            entries_[count_++].prefix = entry.prefix;
        } else if (!read_word(word, entry.ether)) {
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
    if (packet.length() < wire::ether::kSize + wire::arp::kSize) return false;
    std::uint8_t* frame = packet.data();
    std::uint8_t* arp = frame + wire::ether::kSize;
    constexpr std::uint16_t kEthernet = 1, kSizes = 0x0604;
    const bool request = wire::load16(frame + wire::ether::kType) == wire::ether::kArp &&
                         wire::load16(arp + wire::arp::kHardware) == kEthernet &&
                         wire::load16(arp + wire::arp::kProtocol) == wire::ether::kIp &&
                         wire::load16(arp + wire::arp::kSizes) == kSizes &&
                         wire::load16(arp + wire::arp::kOperation) == wire::arp::kRequest;
    const Entry* entry = request ? find(arp + wire::arp::kTargetIp) : nullptr;
    if (!entry) return false;
    wire::store16(arp + wire::arp::kOperation, wire::arp::kReply);
    std::memcpy(frame + wire::ether::kDestination, arp + wire::arp::kSenderEther, wire::ether::kAddressSize);
    std::memcpy(frame + wire::ether::kSource, entry->ether.data(), wire::ether::kAddressSize);
    std::memcpy(arp + wire::arp::kTargetEther, arp + wire::arp::kSenderEther, wire::ether::kAddressSize);
    std::memcpy(arp + wire::arp::kSenderEther, entry->ether.data(), wire::ether::kAddressSize);
    wire::swap_bytes(arp + wire::arp::kSenderIp, arp + wire::arp::kTargetIp, wire::ip::kAddressSize);
    return true;
}

void ARPResponder::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return answer(packet); }, DropReason::not_ours);
}

}  // namespace unibpf
