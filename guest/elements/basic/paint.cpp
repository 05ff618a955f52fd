#include "guest/elements/basic/paint.hpp"

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

constexpr Handler paint_handlers[] = {count_handler};
constexpr Handler check_handlers[] = {count_handler, drops_handler};

void configure_color(Args& args, std::uint32_t& color) {
    args.required("COLOR", color);
    if (color > 255) args.error("got COLOR ", color, ", expected at most 255");
}

}  // namespace

constinit const ElementClass Paint::class_row{
    "Paint", "1/1", "a/a", "COLOR", "sets the paint annotation of packets", paint_handlers, {}, create_element<Paint>};
constinit const ElementClass CheckPaint::class_row{
    "CheckPaint", "1/1-2", "a/ah", "COLOR", "sorts out packets of other colors", check_handlers,
    reason_list<DropReason::no_match>, create_element<CheckPaint>};

void Paint::configure(Args& args) { configure_color(args, color_); }

void Paint::process(Batch& batch) {
    for (Packet& packet : batch) packet.paint = static_cast<std::uint8_t>(color_);
}

void CheckPaint::configure(Args& args) { configure_color(args, color_); }

void CheckPaint::process(Batch& batch) {
    split(batch, [this](const Packet& packet) { return packet.paint == color_; }, DropReason::no_match);
}

}  // namespace unibpf
