#include "guest/elements/queue/unqueue.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
template <typename E>
constexpr Handler rows[] = {count_handler, setting_handler<E, &Unqueue::active, &Unqueue::set_active>("active"), reset_handler<E>};
}  // namespace

constinit const ElementClass Unqueue::class_row{
    "Unqueue", "1/1", "l/h", "[BURST] [, ACTIVE, LIMIT]", "pulls packets and pushes them on", rows<Unqueue>, {}, create_element<Unqueue>};
constinit const ElementClass Unqueue2::class_row{
    "Unqueue2", "1/1", "l/h", "[BURST] [, ACTIVE, LIMIT]", "pulls packets and pushes them on, as Unqueue", rows<Unqueue2>, {}, create_element<Unqueue2>};

void Unqueue::configure(Args& args) {
    args.optional("BURST", burst_);
    args.keyword("ACTIVE", active_);
    args.keyword("LIMIT", limit_);
    if (burst_ == 0) args.error("got BURST 0, expected at least 1, or -1 for as many as there are");
}

void Unqueue::take(Batch& batch) {
    if (held_.empty()) {
        input(0).pull(held_);
        count_packets(held_.size());
    }
    while (!held_.empty() && !batch.full() && (limit_ < 0 || moved_ < static_cast<std::uint64_t>(limit_))) {
        batch.push_back(held_.pop_front());
        ++moved_;
    }
}

bool Unqueue::run_task() {
    constexpr std::size_t most = 4096;  // a round must end
    std::size_t left = burst_ < 0 ? most : static_cast<std::size_t>(burst_);
    bool moved = false;
    while (active_ && left > 0 && (limit_ < 0 || moved_ < static_cast<std::uint64_t>(limit_))) {
        Batch batch;
        take(batch);
        if (batch.empty()) break;
        left -= left < batch.size() ? left : batch.size();
        moved = true;
        output(0).push(std::move(batch));
    }
    return moved;
}

void Unqueue::take_state(Element& old) { held_ = std::move(static_cast<Unqueue&>(old).held_); }

void Unqueue::reset() {
    reset_counters();
    moved_ = 0;
}

}  // namespace unibpf
