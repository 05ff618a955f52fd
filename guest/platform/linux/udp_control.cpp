// A management network without privilege: 127.0.0.1:PORT on the host side, Ethernet on the guest's.
//
// A datagram from 127.0.0.1:P becomes a frame from (gateway or neighbour address, port P) to the guest's management address,
// which is read from the boot image (schemas/boot.cddl, key 8). What the guest sends to that neighbour goes back to
// 127.0.0.1:P. The neighbour answers ARP. Only loopback peers exist, so the port alone tells them apart and no state is kept.
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/core/cbor.hpp"
#include "guest/platform/linux/linux.hpp"

namespace unibpf::platform::linux_process {
namespace {

constexpr std::uint8_t kNeighbourMac[6] = {0x02, 0, 0, 0, 0, 0x01};
constexpr std::size_t kEthernet = 14, kIp = 20, kUdp = 8, kArp = 28;
constexpr std::size_t kHeaders = kEthernet + kIp + kUdp;

struct Management {
    std::uint8_t address[4];
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
        Management result{{}, static_cast<std::uint16_t>(port)};
        std::memcpy(result.address, address.data(), 4);
        return result;
    }
    return reader.error("no management address");
}

void put16(std::uint8_t* at, std::size_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
std::uint16_t get16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

// RFC 1071, starting from `sum`.
std::uint16_t checksum(const std::uint8_t* bytes, std::size_t length, std::uint32_t sum) {
    for (std::size_t i = 0; i + 1 < length; i += 2) sum += get16(bytes + i);
    if (length % 2 != 0) sum += std::uint32_t{bytes[length - 1]} << 8;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
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
        std::memcpy(neighbour_, guest_.address, 4);
        neighbour_[3] ^= 1;  // in the same /31, so on-link for every prefix but /32
    }

    int descriptor() const override { return socket_; }

    std::size_t receive(std::span<std::uint8_t> frame) override {
        if (arp_pending_) return take_arp_answer(frame);
        if (frame.size() <= kHeaders) return 0;
        sockaddr_in from{};
        socklen_t from_size = sizeof from;
        const ssize_t n = recvfrom(socket_, frame.data() + kHeaders, frame.size() - kHeaders, MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&from), &from_size);
        if (n < 0 || static_cast<std::size_t>(n) == frame.size() - kHeaders) return 0;
        wrap(frame.data(), static_cast<std::size_t>(n), ntohs(from.sin_port));
        return kHeaders + static_cast<std::size_t>(n);
    }

    bool transmit(std::span<const std::uint8_t> frame) override {
        if (frame.size() >= kEthernet + kArp && get16(&frame[12]) == 0x0806) return take_arp_request(frame);
        if (frame.size() < kHeaders || get16(&frame[12]) != 0x0800 || frame[14] != 0x45 || frame[23] != 17) return true;
        const std::size_t length = get16(&frame[kEthernet + kIp + 4]);
        if (length < kUdp || length > frame.size() - kEthernet - kIp) return true;
        sockaddr_in to = loopback(get16(&frame[kEthernet + kIp + 2]));
        sendto(socket_, &frame[kHeaders], length - kUdp, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to), sizeof to);
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

    void wrap(std::uint8_t* frame, std::size_t payload, std::uint16_t source_port) const {
        std::memcpy(frame, mac_, 6);
        std::memcpy(frame + 6, kNeighbourMac, 6);
        put16(frame + 12, 0x0800);
        std::uint8_t* ip = frame + kEthernet;
        std::memset(ip, 0, kIp);
        ip[0] = 0x45;
        put16(ip + 2, kIp + kUdp + payload);
        ip[8] = 64;
        ip[9] = 17;
        std::memcpy(ip + 12, neighbour_, 4);
        std::memcpy(ip + 16, guest_.address, 4);
        put16(ip + 10, checksum(ip, kIp, 0));
        std::uint8_t* udp = ip + kIp;
        put16(udp, source_port);
        put16(udp + 2, guest_.port);
        put16(udp + 4, kUdp + payload);
        put16(udp + 6, 0);
        // Pseudo header (RFC 768): addresses, protocol, length. A sum of 0 is sent as all ones.
        std::uint32_t pseudo = 17 + static_cast<std::uint32_t>(kUdp + payload);
        for (int i = 12; i < 20; i += 2) pseudo += get16(ip + i);
        const std::uint16_t sum = checksum(udp, kUdp + payload, pseudo);
        put16(udp + 6, sum == 0 ? 0xffff : sum);
    }

    // RFC 826: who has the neighbour? Everything else is swallowed.
    bool take_arp_request(std::span<const std::uint8_t> frame) {
        const std::uint8_t* arp = &frame[kEthernet];
        if (get16(arp + 6) == 1 && std::memcmp(arp + 24, neighbour_, 4) == 0) arp_pending_ = true;
        return true;
    }
    std::size_t take_arp_answer(std::span<std::uint8_t> frame) {
        arp_pending_ = false;
        constexpr std::uint8_t kFixed[8] = {0, 1, 8, 0, 6, 4, 0, 2};
        std::memcpy(frame.data(), mac_, 6);
        std::memcpy(&frame[6], kNeighbourMac, 6);
        put16(&frame[12], 0x0806);
        std::uint8_t* arp = &frame[kEthernet];
        std::memcpy(arp, kFixed, 8);
        std::memcpy(arp + 8, kNeighbourMac, 6);
        std::memcpy(arp + 14, neighbour_, 4);
        std::memcpy(arp + 18, mac_, 6);
        std::memcpy(arp + 24, guest_.address, 4);
        return kEthernet + kArp;
    }

    int socket_ = -1;
    Management guest_{};
    std::uint8_t neighbour_[4] = {};
    bool arp_pending_ = false;
};

}  // namespace

Device* open_udp_control(std::uint16_t port) { return new UdpControlDevice{port}; }

}  // namespace unibpf::platform::linux_process
