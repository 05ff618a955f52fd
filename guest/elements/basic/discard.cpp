#include "guest/elements/basic/discard.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, reset_handler<Discard>};
}  // namespace

constinit const ElementClass Discard::class_row{
    "Discard", "1/0", "a/", "", "drops every packet", handler_rows, reason_list<DropReason::discarded>, create_element<Discard>};
constinit const ElementClass Idle::class_row{
    "Idle", "-/-", "a/a", "", "neither sends nor passes packets", {}, reason_list<DropReason::discarded>, create_element<Idle>};

void Discard::push(unsigned, Batch&& batch) { drop(std::move(batch), DropReason::discarded); }

bool Discard::run_task() {
    Batch batch;
    input(0).pull(batch);
    count_packets(batch.size());
    const bool busy = !batch.empty();
    drop(std::move(batch), DropReason::discarded);
    return busy;
}

void Idle::push(unsigned, Batch&& batch) { drop(std::move(batch), DropReason::discarded); }

}  // namespace unibpf
