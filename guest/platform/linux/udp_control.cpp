// A management network without privilege: 127.0.0.1:PORT on the host side, Ethernet on the guest's.
//
// A datagram from 127.0.0.1:P becomes a frame from (gateway or neighbour address, port P) to the guest's management address,
// which is read from the boot image (schemas/boot.cddl, key 8). What the guest sends to that neighbour goes back to
// 127.0.0.1:P. The neighbour answers ARP. Only loopback peers exist, so the port alone tells them apart and no state is kept.
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/core/cbor.hpp"
#include "guest/platform/linux/linux.hpp"
#include "guest/wire/arp.hpp"
#include "guest/wire/ipv4.hpp"
#include "guest/wire/udp.hpp"

namespace unibpf::platform::linux_process {
namespace {

constexpr std::array<std::uint8_t, 6> neighbour_mac = {0x02, 0, 0, 0, 0, 0x01};
constexpr std::size_t ethernet_size = wire::Ethernet<std::uint8_t>::header_bytes, ip_size = wire::Ipv4<std::uint8_t>::least_header_bytes;
constexpr std::size_t udp_size = wire::Udp<std::uint8_t>::header_bytes, arp_size = wire::Arp<std::uint8_t>::header_bytes;
constexpr std::size_t all_headers_size = ethernet_size + ip_size + udp_size;
constexpr std::uint8_t sent_time_to_live = 64;

struct Management {
    std::uint32_t address;
    std::uint16_t port;
};

// Boot image keys 0..7 are skipped, key 8 is [address, prefix, port, ? gateway].
Result<Management> read_management(cbor::Bytes image) {
    cbor::Reader reader{image};
    const std::uint64_t entries = TRY(reader.map());
    for (std::uint64_t i = 0; i < entries; ++i) {
        if (TRY(reader.uint()) != 8) {
            TRY(reader.raw_item());
            continue;
        }
        TRY(reader.array());
        const cbor::Bytes address = TRY(reader.bytes());
        TRY(reader.uint());
        const std::uint64_t port = TRY(reader.uint());
        if (address.size() != 4 || port == 0 || port > 65535) return reader.error("bad management address");
        return Management{wire::load32(address.data()), static_cast<std::uint16_t>(port)};
    }
    return reader.error("no management address");
}

class UdpControlDevice final : public Device {
  public:
    explicit UdpControlDevice(std::uint16_t port) {
        socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in address = loopback(port);
        // Sound: the socket API takes every address family through sockaddr.
        if (socket_ < 0 || bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fail("cannot bind udp-control to", "127.0.0.1");
        const auto image = boot_module();
        const auto management = read_management({reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
        if (!management) fail("udp-control needs a boot image with", management.error().text);
        guest_ = management.value();
        neighbour_ = guest_.address ^ 1;  // in the same /31, so on-link for every prefix but /32
    }

    int descriptor() const override { return socket_; }

    std::size_t receive(std::span<std::uint8_t> frame) override {
        if (arp_pending_) return take_arp_answer(frame);
        if (frame.size() <= all_headers_size) return 0;
        sockaddr_in from{};
        socklen_t from_size = sizeof from;
        const ssize_t n = recvfrom(socket_, frame.data() + all_headers_size, frame.size() - all_headers_size, MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
        if (n < 0 || static_cast<std::size_t>(n) == frame.size() - all_headers_size) return 0;
        wrap(frame.first(all_headers_size + static_cast<std::size_t>(n)), ntohs(from.sin_port));
        return all_headers_size + static_cast<std::size_t>(n);
    }

    // RFC 826: who has the neighbour? All that is neither that nor a datagram is swallowed.
    bool transmit(std::span<const std::uint8_t> bytes) override {
        const auto frame = wire::view<wire::Ethernet>(bytes);
        if (!frame) return true;
        if (frame.type() == wire::EtherType::arp) take_arp_request(frame.payload());
        if (frame.type() != wire::EtherType::ipv4) return true;
        const auto ip = wire::view<wire::Ipv4>(frame.payload());
        if (!ip || ip.header_bytes() != ip_size || ip.protocol() != wire::IpProtocol::udp) return true;
        const auto udp = wire::view<wire::Udp>(ip.rest());
        if (!udp || !udp.length_holds()) return true;
        sockaddr_in to = loopback(udp.destination());
        sendto(socket_, udp.payload().data(), udp.payload().size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to);
        return true;
    }

  private:
    static sockaddr_in loopback(std::uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
    }

    wire::Ethernet<std::uint8_t> write_ethernet(std::span<std::uint8_t> bytes, wire::EtherType type) const {
        const auto frame = wire::view<wire::Ethernet>(bytes);
        frame.set_destination(mac());
        frame.set_source(neighbour_mac);
        frame.set_type(type);
        return frame;
    }

    // Headers before a payload that ends with the frame.
    void wrap(std::span<std::uint8_t> bytes, std::uint16_t source_port) const {
        const auto frame = write_ethernet(bytes, wire::EtherType::ipv4);
        const auto ip = wire::Ipv4<std::uint8_t>::write(frame.payload(), wire::IpProtocol::udp, neighbour_, guest_.address, sent_time_to_live);
        const auto udp = wire::view<wire::Udp>(ip.payload());
        udp.set_source(source_port);
        udp.set_destination(guest_.port);
        udp.set_total_bytes(ip.payload().size());
        udp.set_checksum(ip.pseudo_sum(ip.payload().size()));
    }

    void take_arp_request(std::span<const std::uint8_t> bytes) {
        const auto arp = wire::view<wire::Arp>(bytes);
        if (!arp || arp.operation() != wire::ArpOperation::request) return;
        if (wire::load32(arp.target_ip().data()) == neighbour_) arp_pending_ = true;
    }
    std::size_t take_arp_answer(std::span<std::uint8_t> bytes) {
        arp_pending_ = false;
        const auto arp = wire::view<wire::Arp>(write_ethernet(bytes, wire::EtherType::arp).payload());
        arp.set_kinds();
        arp.set_operation(wire::ArpOperation::reply);
        arp.set_sender_ether(neighbour_mac);
        arp.set_sender_ip(neighbour_);
        arp.set_target_ether(mac());
        arp.set_target_ip(guest_.address);
        return ethernet_size + arp_size;
    }

    int socket_ = -1;
    Management guest_{};
    std::uint32_t neighbour_ = 0;
    bool arp_pending_ = false;
};

}  // namespace

Device* open_udp_control(std::uint16_t port) { return new UdpControlDevice{port}; }

}  // namespace unibpf::platform::linux_process
