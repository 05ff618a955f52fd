// Fuzzes the elements that read packets: frames of any bytes are sent or counted, and every slot comes back.
// Input: frames, each after one byte of length.
#include <cstdlib>

#include "tests/support/native/packet_sink.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace unibpf;
    const std::size_t slots = PacketPool::system().available();
    {
        test::PacketSink sink;
        for (std::size_t at = 0; at < size;) {
            const std::size_t length = std::min<std::size_t>(data[at], size - at - 1);
            sink.put(test::Frame(data + at + 1, data + at + 1 + length));
            at += 1 + length;
        }
        if (!sink.fault().empty() || !sink.adds_up()) std::abort();
    }
    if (PacketPool::system().available() != slots) std::abort();
    return 0;
}
