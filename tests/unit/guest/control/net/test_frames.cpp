#include <doctest/doctest.h>

#include "guest/control/net/frames.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const net::Local local{{0x52, 0x54, 0, 0, 0, 1}, 0x0a00020f, 5683};
const net::Local other{{0x52, 0x54, 0, 0, 0, 2}, 0x0a000202, 40000};

// A datagram from `other` to `local`, made by the same code seen from the other side.
Octets datagram(std::size_t payload = 5) {
    Octets frame(net::datagram_offset + payload, 'x');
    net::finish_datagram(other, net::Peer{local.mac, local.address, local.port}, payload, frame);
    return frame;
}

// 10.0.2.2 asks 10.0.2.15 for an echo of "abcdefgh".
Octets echo() {
    return from_hex(
        "52540000000152540000000208004500002400004000400122c90a0002020a00020f"
        "08005435123400016162636465666768");
}

void fix_ip_checksum(Octets& frame) {
    frame[24] = frame[25] = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2) sum += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    frame[24] = static_cast<std::uint8_t>(~sum >> 8);
    frame[25] = static_cast<std::uint8_t>(~sum);
}

net::FrameKind kind_of(const Octets& frame) { return net::classify(frame, local).kind; }

}  // namespace

TEST_CASE("a datagram for the port is taken with its sender") {
    const Octets frame = datagram();
    const auto incoming = net::classify(frame, local);
    CHECK(incoming.kind == net::FrameKind::datagram);
    CHECK(octets(incoming.payload) == Octets(5, 'x'));
    CHECK(incoming.peer.mac == other.mac);
    CHECK(incoming.peer.address == other.address);
    CHECK(incoming.peer.port == other.port);
}

TEST_CASE("padding after a datagram is not its content") {
    Octets frame = datagram();
    frame.resize(60);
    CHECK(net::classify(frame, local).payload.size() == 5);
}

TEST_CASE("a datagram without a checksum is taken") {
    Octets frame = datagram();
    frame[40] = frame[41] = 0;
    CHECK(kind_of(frame) == net::FrameKind::datagram);
}

TEST_CASE("what is not for this host or not sound is ignored by name") {
    Octets frame = datagram();
    SUBCASE("another MAC") {
        frame[5] = 9;
        CHECK(kind_of(frame) == net::FrameKind::not_ours);
    }
    SUBCASE("another port") {
        frame[37] = 9;
        CHECK(kind_of(frame) == net::FrameKind::not_ours);
    }
    SUBCASE("another address") {
        frame[33] = 9;
        fix_ip_checksum(frame);
        CHECK(kind_of(frame) == net::FrameKind::not_ours);
    }
    SUBCASE("a changed payload") {
        frame[44] ^= 1;
        CHECK(kind_of(frame) == net::FrameKind::bad_checksum);
    }
    SUBCASE("a changed IP header") {
        frame[22] ^= 1;
        CHECK(kind_of(frame) == net::FrameKind::bad_checksum);
    }
    SUBCASE("a first fragment") {
        frame[20] = 0x20;
        fix_ip_checksum(frame);
        CHECK(kind_of(frame) == net::FrameKind::fragment);
    }
    SUBCASE("a later fragment") {
        frame[20] = 0;
        frame[21] = 1;
        fix_ip_checksum(frame);
        CHECK(kind_of(frame) == net::FrameKind::fragment);
    }
    SUBCASE("a header longer than the packet") {
        frame[14] = 0x4f;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("a header shorter than a header") {
        frame[14] = 0x44;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("IPv6 in IPv4's place") {
        frame[14] = 0x65;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("a total length past the frame") {
        frame[16] = 0xff;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("a UDP length past the packet") {
        frame[38] = 0xff;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("a UDP length below its header") {
        frame[38] = 0;
        frame[39] = 7;
        CHECK(kind_of(frame) == net::FrameKind::bad_header);
    }
    SUBCASE("another protocol") {
        frame[23] = 6;
        fix_ip_checksum(frame);
        CHECK(kind_of(frame) == net::FrameKind::other_protocol);
    }
    SUBCASE("another ethertype") {
        frame[12] = 0x86;
        CHECK(kind_of(frame) == net::FrameKind::other_protocol);
    }
}

TEST_CASE("a frame cut anywhere is never taken") {
    for (const Octets& frame : {datagram(), echo()}) {
        for (std::size_t length = 0; length < frame.size(); ++length) {
            CAPTURE(length);
            REQUIRE(kind_of(Octets(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length))) > net::FrameKind::echo_request);
        }
    }
}

TEST_CASE("an ARP request for our address is answered to its sender") {
    const Octets request = from_hex(
        "ffffffffffff52540000000208060001080006040001525400000002"
        "0a0002020000000000000a00020f");
    const auto incoming = net::classify(request, local);
    REQUIRE(incoming.kind == net::FrameKind::arp_request);
    Octets reply(64);
    reply.resize(net::make_arp_reply(local, incoming.peer, reply));
    CHECK(reply == from_hex("52540000000252540000000108060001080006040002525400000001"
                            "0a00020f5254000000020a000202"));
    Octets for_another = request;
    for_another.back() = 9;
    CHECK(kind_of(for_another) == net::FrameKind::not_ours);
}

TEST_CASE("an echo request is answered soundly, with its own data") {
    const Octets request = echo();
    const auto incoming = net::classify(request, local);
    REQUIRE(incoming.kind == net::FrameKind::echo_request);
    Octets reply(100);
    reply.resize(net::make_echo_reply(local, incoming.peer, incoming.payload, reply));
    CHECK(reply.size() == request.size());
    CHECK(reply[34] == 0);
    CHECK(octets(Bytes{reply}.subspan(38)) == octets(Bytes{request}.subspan(38)));
    // Turned round, it is an echo request again only in its type: the checksums hold for the other side.
    reply[34] = 8;
    reply[36] = request[36];
    reply[37] = request[37];
    CHECK(net::classify(reply, other).kind == net::FrameKind::echo_request);
    Octets small(40);
    CHECK(net::make_echo_reply(local, incoming.peer, incoming.payload, small) == 0);
}
