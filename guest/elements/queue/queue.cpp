#include "guest/elements/queue/queue.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
const Queue& queue(const Element& element) { return static_cast<const Queue&>(element); }

// What the control channel can hold at once: requests, strangers' requests and answers in its queues, one of each in work.
constexpr std::size_t for_management = 128;
constexpr std::size_t on_their_way = 2 * Batch::most_packets;

constexpr Handler handler_rows[] = {
    {"length", [](const Element& e, Text& out) { out.number(queue(e).length()); }, nullptr},
    {"highwater_length", [](const Element& e, Text& out) { out.number(queue(e).highwater()); }, nullptr},
    {"capacity", [](const Element& e, Text& out) { out.number(queue(e).capacity()); }, nullptr},
    drops_handler,
    reset_handler<Queue>,
};
}  // namespace

constinit const ElementClass Queue::class_row{
    "Queue", "1/1", "h/l", "[CAPACITY]", "stores packets in a first-in, first-out queue", handler_rows,
    reason_list<DropReason::queue_full>, create_element<Queue>};

void Queue::configure(Args& args) {
    args.optional("CAPACITY", capacity_);
    if (capacity_ == 0 || capacity_ > max_capacity) args.error("got capacity ", capacity_, ", expected 1 to ", max_capacity);
}

void Queue::initialize(Environment& environment, Errors& errors) {
    pool_ = environment.pool;
    ring_ = make_array<PacketPtr>(capacity_);
    if (!ring_) errors.add(place(), "`", name(), "`: no memory for ", capacity_, " packets");
}

void Queue::divide_slots(const Router& router, PacketPool& pool, Errors& errors) {
    std::size_t queues = 0, wanted = 0;
    const Element* last = nullptr;
    for (const Element* element : router.elements()) {
        if (element->queue_capacity() == 0) continue;
        last = element;
        wanted += element->queue_capacity();
        ++queues;
    }
    const std::size_t passing = on_their_way + queues * own_packets;
    const Place place = last == nullptr ? Place{} : last->place();
    if (wanted > pool.capacity())
        errors.add(place, "queues hold ", wanted, " packets, expected at most ", pool.capacity(), ": smaller CAPACITY or more memory");
    if (pool.available() < for_management + passing)
        errors.add(place, "NICs leave ", pool.available(), " packet slots, expected ", for_management + passing, ": more memory");
    pool.reserve(for_management, passing);
}

void Queue::append(PacketPtr&& packet) {
    const std::uint32_t at = first_ + length_;
    ring_[at < capacity_ ? at : at - capacity_] = std::move(packet);
    if (++length_ > highwater_) highwater_ = length_;
}

PacketPtr Queue::take_front() {
    PacketPtr packet = std::move(ring_[first_]);
    if (++first_ == capacity_) first_ = 0;
    --length_;
    return packet;
}

void Queue::prepend(PacketPtr&& packet) {
    first_ = (first_ == 0 ? capacity_ : first_) - 1;
    ring_[first_] = std::move(packet);
    if (++length_ > highwater_) highwater_ = length_;
}

PacketPtr Queue::take_back() {
    const std::uint32_t at = first_ + --length_;
    return std::move(ring_[at < capacity_ ? at : at - capacity_]);
}

void Queue::push(unsigned, Batch&& batch) {
    while (!batch.empty() && has_room()) append(batch.pop_front());
    drop(std::move(batch), DropReason::queue_full);
}

void Queue::pull(unsigned, Batch& batch) {
    while (length_ > 0 && !batch.full()) batch.push_back(take_front());
}

void Queue::reset() {
    reset_counters();
    highwater_ = length_;
}

void Queue::take_state(Element& old_element) {
    auto& old = static_cast<Queue&>(old_element);
    while (old.length_ > 0) {
        PacketPtr packet = old.take_front();
        if (length_ < capacity_) append(std::move(packet));
        else drop(std::move(packet), DropReason::queue_full);
    }
    if (old.highwater_ > highwater_) highwater_ = old.highwater_;
}

}  // namespace unibpf
