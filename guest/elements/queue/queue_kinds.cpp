#include "guest/elements/queue/queue_kinds.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
template <typename E>
constexpr Handler rows[] = {
    read_handler<E, &Queue::length>("length"),
    read_handler<E, &Queue::highwater>("highwater_length"),
    read_handler<E, &Queue::capacity>("capacity"),
    drops_handler,
    reset_handler<E>,
};
}  // namespace

constinit const ElementClass SimpleQueue::class_row{"SimpleQueue", "1/1", "h/l", "[CAPACITY]", "stores packets in a first-in, first-out queue, as Queue", rows<SimpleQueue>, reason_list<DropReason::queue_full>, create_element<SimpleQueue>};
constinit const ElementClass ThreadSafeQueue::class_row{"ThreadSafeQueue", "1/1", "h/l", "[CAPACITY]", "stores packets in a first-in, first-out queue, as Queue", rows<ThreadSafeQueue>, reason_list<DropReason::queue_full>, create_element<ThreadSafeQueue>};
constinit const ElementClass NotifierQueue::class_row{"NotifierQueue", "1/1", "h/l", "[CAPACITY]", "stores packets in a first-in, first-out queue, as Queue", rows<NotifierQueue>, reason_list<DropReason::queue_full>, create_element<NotifierQueue>};
constinit const ElementClass FrontDropQueue::class_row{"FrontDropQueue", "1/1", "h/l", "[CAPACITY]", "stores packets and drops the oldest when full", rows<FrontDropQueue>, reason_list<DropReason::queue_full>, create_element<FrontDropQueue>};
constinit const ElementClass MixedQueue::class_row{"MixedQueue", "2/1", "h/l", "[CAPACITY]", "stores packets first in, first out, or last in, first out", rows<MixedQueue>, reason_list<DropReason::queue_full>, create_element<MixedQueue>};

void FrontDropQueue::push(unsigned, Batch&& batch) {
    while (!batch.empty()) {
        if (!has_room() && length() > 0) drop(take_front(), DropReason::queue_full);
        append(batch.pop_front());
    }
}

void MixedQueue::push(unsigned port, Batch&& batch) {
    if (port == 0) return Queue::push(port, std::move(batch));
    while (!batch.empty()) {
        if (!has_room() && length() > 0) drop(take_back(), DropReason::queue_full);
        prepend(batch.pop_front());
    }
}

}  // namespace unibpf
