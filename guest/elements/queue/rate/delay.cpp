#include "guest/elements/queue/rate/delay.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/elements/outflow.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
template <typename E>
constexpr Handler delay_rows[] = {count_handler, read_handler<E, &DelayElement::delay_ms>("delay_ms")};
constexpr Handler burst_rows[] = {count_handler, read_handler<Burster, &Burster::interval_ms>("interval_ms")};
}  // namespace

constinit const ElementClass DelayShaper::class_row{"DelayShaper", "1/1", "l/l", "DELAY", "lets packets be pulled after a delay", delay_rows<DelayShaper>, {}, create_element<DelayShaper>};
constinit const ElementClass DelayUnqueue::class_row{"DelayUnqueue", "1/1", "l/h", "DELAY", "pushes packets on after a delay", delay_rows<DelayUnqueue>, {}, create_element<DelayUnqueue>};
constinit const ElementClass Burster::class_row{"Burster", "1/1", "l/h", "INTERVAL [, MAX]", "pushes packets in bursts", burst_rows, {}, create_element<Burster>};

void DelayElement::configure(Args& args) { args.required("DELAY", delay_); }

void DelayElement::initialize(Environment&, Errors& errors) {
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
}

void DelayElement::release(Batch& batch) {
    const std::uint64_t now = router().now();
    while (!batch.full()) {
        if (held_.empty()) {
            input(0).pull(held_);
            count_packets(held_.size());
        }
        if (held_.empty()) return;
        if (held_[0].arrival_ns + delay_.ns > now) {
            if (!timer_.scheduled()) timer_.schedule_at(held_[0].arrival_ns + delay_.ns);
            return;
        }
        batch.push_back(held_.pop_front());
    }
}

void DelayElement::take_state(Element& old) { held_ = std::move(static_cast<DelayElement&>(old).held_); }

void DelayShaper::pull(unsigned, Batch& batch) { release(batch); }

bool DelayUnqueue::run_task() {
    Batch batch;
    release(batch);
    if (batch.empty()) return false;
    output(0).push(std::move(batch));
    return true;
}

void Burster::configure(Args& args) {
    args.required("INTERVAL", interval_);
    args.optional("MAX", most_);
    if (interval_.ns == 0 || most_ == 0) args.error("got an INTERVAL or a MAX of 0, expected more");
}

void Burster::initialize(Environment&, Errors& errors) {
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
    timer_.schedule_at(router().now() + interval_.ns);
}

void Burster::run_timer(Timer&) {
    timer_.schedule_at(router().now() + interval_.ns);
    Outflow out{*this, 0};
    for (std::uint32_t n = 0; n < most_; ++n) {
        if (held_.empty()) {
            input(0).pull(held_);
            count_packets(held_.size());
        }
        if (held_.empty()) return;
        out.put(held_.pop_front());
    }
}

void Burster::take_state(Element& old) { held_ = std::move(static_cast<Burster&>(old).held_); }

}  // namespace unibpf
