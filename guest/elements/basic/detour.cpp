#include "guest/elements/basic/detour.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/elements/outflow.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass Detour::class_row{
    "Detour", "1/1", "h/h", "", "lets packets wait for the next round", handler_rows, reason_list<DropReason::queue_full>, create_element<Detour>, false, false, true};

void Detour::initialize(Environment& environment, Errors&) { pool_ = environment.pool; }

void Detour::push(unsigned, Batch&& batch) {
    while (!batch.empty() && length_ < most_waiting && (!pool_ || pool_->may_wait()))
        ring_[(first_ + length_++) % most_waiting] = batch.pop_front();
    drop(std::move(batch), DropReason::queue_full);
}

// What comes back while this goes out waits for the round after.
bool Detour::run_task() {
    std::size_t left = length_;
    if (left == 0) return false;
    Outflow out{*this, 0};
    for (; left > 0; --left) {
        PacketPtr packet = std::move(ring_[first_]);
        first_ = (first_ + 1) % most_waiting;
        --length_;
        out.put(std::move(packet));
    }
    return true;
}

}  // namespace unibpf
