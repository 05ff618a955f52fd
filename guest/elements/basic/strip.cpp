#include "guest/elements/basic/strip.hpp"

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};

void configure_length(Args& args, std::uint32_t& length, std::uint32_t most) {
    args.required("LENGTH", length);
    if (length > most) args.error("got LENGTH ", length, ", expected at most ", most);
}

}  // namespace

constinit const ElementClass Strip::class_row{
    "Strip", "1/1", "a/a", "LENGTH", "takes bytes off the front of packets", handler_rows,
    reason_list<DropReason::too_short>, create_element<Strip>};
constinit const ElementClass Unstrip::class_row{
    "Unstrip", "1/1", "a/a", "LENGTH", "puts bytes back on the front of packets", handler_rows,
    reason_list<DropReason::no_headroom>, create_element<Unstrip>};

void Strip::configure(Args& args) { configure_length(args, length_, Packet::longest_fresh); }

void Strip::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return packet.pull(static_cast<std::uint16_t>(length_)); }, DropReason::too_short);
}

void Unstrip::configure(Args& args) { configure_length(args, length_, Packet::fresh_headroom + Packet::longest_fresh); }

void Unstrip::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return packet.push(static_cast<std::uint16_t>(length_)); }, DropReason::no_headroom);
}

}  // namespace unibpf
