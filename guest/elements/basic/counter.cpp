#include "guest/elements/basic/counter.hpp"

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler kHandlers[] = {
    kCountHandler,
    {"byte_count", [](const Element& e, Text& out) { out.number(static_cast<const Counter&>(e).bytes()); }, nullptr},
    kResetHandler<Counter>,
};
}  // namespace

constinit const ElementClass Counter::kClass{
    "Counter", "1/1", "a/a", "", "counts packets and bytes", kHandlers, {}, create_element<Counter>};

void Counter::process(Batch& batch) {
    for (const Packet& packet : batch) bytes_ += packet.length();
}

void Counter::reset() {
    reset_counters();
    bytes_ = 0;
}

void Counter::take_state(Element& old) { bytes_ = static_cast<Counter&>(old).bytes_; }

}  // namespace unibpf
