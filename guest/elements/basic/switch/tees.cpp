#include "guest/elements/basic/switch/tees.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass PaintTee::class_row{
    "PaintTee", "1/1-2", "a/ah", "COLOR", "copies packets of one color", handler_rows, reason_list<DropReason::no_buffer>, create_element<PaintTee>};
constinit const ElementClass PullTee::class_row{
    "PullTee", "1/1-", "l/lh", "[N]", "copies packets that are pulled", handler_rows, reason_list<DropReason::no_buffer>, create_element<PullTee>};

void PaintTee::configure(Args& args) { args.required("COLOR", color_); }
void PaintTee::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

void PaintTee::process(Batch& batch) {
    if (outputs() < 2) return;
    Batch copies;
    for (const Packet& packet : batch) {
        if (packet.paint != color_) continue;
        if (PacketPtr copy = pool_->copy(packet)) copies.push_back(std::move(copy));
        else count_drop(DropReason::no_buffer);
    }
    if (!copies.empty()) output(1).push(std::move(copies));
}

void PullTee::configure(Args& args) {
    std::uint32_t count = outputs();
    args.optional("N", count);
    if (count != outputs()) args.error("got ", outputs(), " connected outputs, expected ", count);
}
void PullTee::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

void PullTee::process(Batch& batch) {
    for (unsigned port = 1; port < outputs(); ++port) {
        Batch copies;
        for (const Packet& packet : batch) {
            if (PacketPtr copy = pool_->copy(packet)) copies.push_back(std::move(copy));
            else count_drop(DropReason::no_buffer);
        }
        if (!copies.empty()) output(port).push(std::move(copies));
    }
}

}  // namespace unibpf
