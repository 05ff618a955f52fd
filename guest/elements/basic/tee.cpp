#include "guest/elements/basic/tee.hpp"

#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass Tee::class_row{
    "Tee", "1/1-", "h/h", "[N]", "sends a copy of each packet out of every output", handler_rows,
    reason_list<DropReason::no_buffer>, create_element<Tee>};

void Tee::configure(Args& args) {
    std::uint32_t count = outputs();
    args.optional("N", count);
    if (count != outputs()) args.error("got ", outputs(), " connected outputs, expected ", count);
}

void Tee::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

// The copy starts at the same offset as the original, so it has the same headroom. Null when the pool is empty.
PacketPtr Tee::copy(const Packet& packet) {
    PacketPtr made = pool_->acquire();
    if (!made) return made;
    const auto headroom = static_cast<int>(packet.headroom());
    const int shift = headroom - static_cast<int>(made->headroom());
    // Both slots have one size, so what fits there fits here.
    if (shift >= 0) {
        made->put(static_cast<std::uint16_t>(shift));
        made->pull(static_cast<std::uint16_t>(shift));
        made->put(packet.length());
    } else {
        made->push(static_cast<std::uint16_t>(-shift));
        made->trim(static_cast<std::uint16_t>(-shift));
        made->put(packet.length());
    }
    std::memcpy(made->data() - packet.metadata(), packet.data() - packet.metadata(), packet.metadata() + packet.length());
    made->set_metadata(packet.metadata());
    made->copy_annotations(packet);
    return made;
}

// In the order of the outputs; the last one gets the packets themselves.
void Tee::push(unsigned, Batch&& batch) {
    const unsigned last = outputs() - 1;
    for (unsigned port = 0; port < last; ++port) {
        Batch copies;
        for (const Packet& packet : batch) {
            PacketPtr made = copy(packet);
            if (made) copies.push_back(std::move(made));
            else count_drop(DropReason::no_buffer);
        }
        if (!copies.empty()) output(port).push(std::move(copies));
    }
    output(last).push(std::move(batch));
}

}  // namespace unibpf
