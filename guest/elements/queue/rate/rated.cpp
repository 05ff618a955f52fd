#include "guest/elements/queue/rate/rated.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/elements/outflow.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
template <typename E>
constexpr Handler rows[] = {count_handler, drops_handler, setting_handler<E, &RatedElement::rate, &RatedElement::set_rate>("rate")};

void add_timer(Timer& timer, Element& element, Errors& errors) {
    if (!element.router().timers().add(timer, element)) errors.add(element.place(), "`", element.name(), "`: no memory for a timer");
}
}  // namespace

constinit const ElementClass RatedSplitter::class_row{"RatedSplitter", "1/1-2", "a/ah", "RATE", "splits packets that come faster than a rate", rows<RatedSplitter>, reason_list<DropReason::policed>, create_element<RatedSplitter>};
constinit const ElementClass BandwidthRatedSplitter::class_row{"BandwidthRatedSplitter", "1/1-2", "a/ah", "RATE", "splits bytes that come faster than a rate", rows<BandwidthRatedSplitter>, reason_list<DropReason::policed>, create_element<BandwidthRatedSplitter>};
constinit const ElementClass Shaper::class_row{"Shaper", "1/1", "l/l", "RATE", "lets packets be pulled at a rate", rows<Shaper>, {}, create_element<Shaper>};
constinit const ElementClass BandwidthShaper::class_row{"BandwidthShaper", "1/1", "l/l", "RATE", "lets bytes be pulled at a rate", rows<BandwidthShaper>, {}, create_element<BandwidthShaper>};
constinit const ElementClass RatedUnqueue::class_row{"RatedUnqueue", "1/1", "l/h", "RATE", "pulls packets at a rate and pushes them on", rows<RatedUnqueue>, {}, create_element<RatedUnqueue>};
constinit const ElementClass BandwidthRatedUnqueue::class_row{"BandwidthRatedUnqueue", "1/1", "l/h", "RATE", "pulls bytes at a rate and pushes them on", rows<BandwidthRatedUnqueue>, {}, create_element<BandwidthRatedUnqueue>};

void RatedElement::configure(Args& args) {
    std::uint64_t rate = 0;
    Bandwidth bandwidth;
    if (bytes_ ? args.required("RATE", bandwidth) : args.required("RATE", rate)) bucket_.set_rate(bytes_ ? bandwidth.bytes_per_second : rate);
}

void RatedElement::refill() { bucket_.refill(router().now()); }

bool RatedElement::admit(const Packet& packet) {
    if (!open()) return false;
    bucket_.take(bytes_ ? packet.length() : 1);
    return true;
}

void RateSplitter::process(Batch& batch) {
    refill();
    split(batch, [this](const Packet& packet) { return admit(packet); }, DropReason::policed);
}

void RateShaper::initialize(Environment&, Errors& errors) { add_timer(timer_, *this, errors); }

// What was pulled in and may not go yet waits here: at most one batch.
void RateShaper::pull(unsigned, Batch& batch) {
    refill();
    while (!batch.full()) {
        if (!open()) return void(timer_.schedule_at(open_ns()));
        if (held_.empty()) {
            input(0).pull(held_);
            count_packets(held_.size());
        }
        if (held_.empty()) return;
        admit(held_[0]);
        batch.push_back(held_.pop_front());
    }
}

void RateShaper::take_state(Element& old) { held_ = std::move(static_cast<RateShaper&>(old).held_); }

void RateUnqueue::initialize(Environment&, Errors& errors) { add_timer(timer_, *this, errors); }

bool RateUnqueue::run_task() {
    refill();
    bool moved = false;
    Outflow out{*this, 0};
    for (std::size_t n = 0; n < Batch::most_packets; ++n) {
        if (!open()) {
            if (open_ns() != ~std::uint64_t{0} && !timer_.scheduled()) timer_.schedule_at(open_ns());
            return moved;
        }
        if (held_.empty()) {
            input(0).pull(held_);
            count_packets(held_.size());
        }
        if (held_.empty()) return moved;
        admit(held_[0]);
        out.put(held_.pop_front());
        moved = true;
    }
    return moved;
}

void RateUnqueue::take_state(Element& old) { held_ = std::move(static_cast<RateUnqueue&>(old).held_); }

}  // namespace unibpf
