#include "guest/elements/basic/counter.hpp"

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {
    count_handler,
    {"byte_count", [](const Element& e, Text& out) { out.number(static_cast<const Counter&>(e).bytes()); }, nullptr},
    reset_handler<Counter>,
};
}  // namespace

constinit const ElementClass Counter::class_row{
    "Counter", "1/1", "a/a", "", "counts packets and bytes", handler_rows, {}, create_element<Counter>};

void Counter::process(Batch& batch) {
    for (const Packet& packet : batch) bytes_ += packet.length();
}

void Counter::reset() {
    reset_counters();
    bytes_ = 0;
}

void Counter::take_state(Element& old) { bytes_ = static_cast<Counter&>(old).bytes_; }

}  // namespace unibpf
