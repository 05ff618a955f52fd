// TAP and AF_PACKET: one descriptor, one frame a system call, non-blocking. And the parser of --nic.
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest/platform/linux/linux.hpp"

namespace unibpf::platform::linux_process {
namespace {

class DescriptorDevice final : public Device {
  public:
    explicit DescriptorDevice(int descriptor) : descriptor_{descriptor} {}
    int descriptor() const override { return descriptor_; }
    std::size_t receive(std::span<std::uint8_t> frame) override {
        // A frame longer than the buffers is cut by the kernel; one byte more tells.
        std::uint8_t more;
        const std::array<iovec, 2> parts{{{frame.data(), frame.size()}, {&more, 1}}};
        const ssize_t n = readv(descriptor_, parts.data(), parts.size());
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    bool transmit(std::span<const std::uint8_t> frame) override {
        return write(descriptor_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
    }

  private:
    int descriptor_;
};

ifreq named(std::string_view interface) {
    ifreq request{};
    if (interface.empty() || interface.size() >= IFNAMSIZ) fail("bad interface name, expected 1 to 15 characters, got", interface);
    std::memcpy(request.ifr_name, interface.data(), interface.size());
    return request;
}

// "52:54:00:00:00:01" to six bytes.
bool parse_mac(std::string_view text, std::span<std::uint8_t, 6> mac) {
    if (text.size() != 17) return false;
    for (std::size_t i = 0; i < 6; ++i) {
        const char* first = text.data() + 3 * i;
        if (i < 5 && first[2] != ':') return false;
        if (std::from_chars(first, first + 2, mac[i], 16).ptr != first + 2) return false;
    }
    return true;
}

Device* open_kind(std::string_view kind, std::string_view argument) {
    if (kind == "stream") {
        constexpr std::string_view server_suffix = ",server";
        const bool server = argument.ends_with(server_suffix);
        if (server) argument.remove_suffix(server_suffix.size());
        return open_stream(argument, server);
    }
    if (kind == "tap") return open_tap(argument);
    if (kind == "packet") return open_packet(argument);
    if (kind == "udp-control") {
        std::uint16_t port = 0;
        const auto end = argument.data() + argument.size();
        if (std::from_chars(argument.data(), end, port).ptr != end) fail("bad port of udp-control:", argument);
        return open_udp_control(port);
    }
    fail("unknown kind of NIC, expected `stream`, `tap`, `packet` or `udp-control`, got", kind);
}

}  // namespace

Device* open_device(std::string_view specification) {
    const std::size_t equals = specification.find('=');
    const std::size_t colon = equals == specification.npos ? equals : specification.find(':', equals + 1 + 17 + 1);
    if (colon == specification.npos) fail("expected --nic NAME=MAC:KIND:ARGUMENT, got", specification);
    std::uint8_t mac[6];
    if (!parse_mac(specification.substr(equals + 1, 17), mac)) fail("bad MAC in --nic", specification);
    const std::size_t kind = equals + 1 + 17 + 1;
    Device* device = open_kind(specification.substr(kind, colon - kind), specification.substr(colon + 1));
    device->set_mac(mac);
    return device;
}

Device* open_tap(std::string_view interface) {
    const int descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) fail("cannot open", "/dev/net/tun");
    ifreq request = named(interface);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(descriptor, TUNSETIFF, &request) != 0) fail("cannot attach to TAP", interface);
    return new DescriptorDevice{descriptor};
}

Device* open_packet(std::string_view interface) {
    const int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (descriptor < 0) fail("cannot open a packet socket (needs CAP_NET_RAW) on", interface);
    ifreq request = named(interface);
    if (ioctl(descriptor, SIOCGIFINDEX, &request) != 0) fail("no such interface", interface);
    // What this process sends must not come back to it.
    const int on = 1;
    setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = request.ifr_ifindex;
    packet_mreq promiscuous{};
    promiscuous.mr_ifindex = request.ifr_ifindex;
    promiscuous.mr_type = PACKET_MR_PROMISC;
    setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
    // Sound: the socket API takes every address family through sockaddr.
    if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("cannot bind to interface", interface);
    return new DescriptorDevice{descriptor};
}

}  // namespace unibpf::platform::linux_process
