// Any datagrams at the CoAP server: the input is cut into up to sixteen datagrams (two length bytes before each), which come
// from two peers, so that transfers, retransmissions and stored representations meet.
//
// What must hold: nothing reads or writes outside its memory; a resource sees a body within its limit only; an answer fits into a
// datagram and parses; what was assembled is given back when the server goes.
#include <array>
#include <cstdlib>

#include "guest/control/coap/server.hpp"

using namespace unibpf;

namespace {

constexpr std::size_t limit = 6000;
constexpr std::size_t most_datagrams = 16;

class Sink final : public coap::Resources {
  public:
    coap::Response respond(const coap::Request& request, std::span<std::uint8_t> buffer) override {
        if (request.body.size() > limit) std::abort();
        const std::size_t length = request.method == coap::fetch ? 3000 : request.body.size() % 64;
        return {coap::content, coap::format_cbor, Bytes{buffer}.first(length)};
    }
    coap::Response refuse(const Error&, std::span<std::uint8_t> buffer) override {
        return {coap::bad_request, coap::format_problem, Bytes{buffer}.first(8)};
    }
    std::size_t body_limit(coap::Code method, const coap::RequestOptions&) const override { return method == coap::get ? 0 : limit; }
};

void check(Bytes answer) {
    if (answer.size() > coap::max_datagram || !coap::parse(answer).ok()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static std::array<std::uint8_t, 8192> buffer;
    const std::size_t used = Heap::system().used();
    {
        Sink sink;
        auto server = make<coap::Server>(sink, std::span<std::uint8_t>{buffer}, std::size_t{32} * 1024);
        if (!server) std::abort();
        Bytes rest{data, size};
        std::uint64_t now = 1;
        for (std::size_t i = 0; i < most_datagrams && rest.size() >= 2; ++i) {
            const std::size_t length = std::min<std::size_t>(rest[0] << 8 | rest[1], rest.size() - 2);
            std::array<std::uint8_t, coap::max_datagram> out;
            const coap::Endpoint peer{1, static_cast<std::uint16_t>(i % 2)};
            const std::size_t answered = server->handle(peer, rest.subspan(2, length), now, out);
            if (answered != 0) check(Bytes{out}.first(answered));
            now += std::uint64_t{rest[0]} * 1'000'000'000;
            rest = rest.subspan(2 + length);
        }
    }
    if (Heap::system().used() != used) std::abort();
    return 0;
}
