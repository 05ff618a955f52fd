// Any bytes as a boot image, and as a frame on the management NIC of the guest that it describes.
//
// What must hold: nothing reads outside its memory; an image that is accepted has a guest id, a key and a port; a graph that
// nobody signed is never verified.
#include <array>
#include <cstdlib>

#include "guest/control/boot.hpp"
#include "guest/control/net/frames.hpp"

using namespace unibpf;

namespace {

void answer(Bytes frame, const net::Local& local) {
    std::array<std::uint8_t, 1600> out;
    const net::Incoming incoming = net::classify(frame, local);
    if (incoming.payload.size() > frame.size()) std::abort();
    if (incoming.kind == net::FrameKind::arp_request) (void)net::make_arp_reply(local, incoming.peer, out);
    if (incoming.kind == net::FrameKind::echo_request) (void)net::make_echo_reply(local, incoming.peer, incoming.payload, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes{data, size};
    static BootImage image;
    image = BootImage{};
    if (parse_boot_image(bytes, image)) {
        if (image.guest.empty() || image.keys.size() == 0 || image.management.port == 0) std::abort();
        (void)verify_boot_graph(image, 1);
    }
    answer(bytes, net::Local{{0x52, 0x54, 0, 0, 0, 1}, 0x0a00020f, 5683});
    return 0;
}
