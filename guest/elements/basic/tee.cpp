#include "guest/elements/basic/tee.hpp"

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

// In the order of the outputs; the last one gets the packets themselves.
void Tee::push(unsigned, Batch&& batch) {
    const unsigned last = outputs() - 1;
    for (unsigned port = 0; port < last; ++port) {
        Batch copies;
        for (const Packet& packet : batch) {
            PacketPtr made = pool_->copy(packet);
            if (made) copies.push_back(std::move(made));
            else count_drop(DropReason::no_buffer);
        }
        if (!copies.empty()) output(port).push(std::move(copies));
    }
    output(last).push(std::move(batch));
}

}  // namespace unibpf
