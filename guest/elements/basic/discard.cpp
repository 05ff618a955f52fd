#include "guest/elements/basic/discard.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler kHandlers[] = {kCountHandler, kResetHandler<Discard>};
}  // namespace

constinit const ElementClass Discard::kClass{
    "Discard", "1/0", "a/", "", "drops every packet", kHandlers, kReasons<DropReason::discarded>, create_element<Discard>};
constinit const ElementClass Idle::kClass{
    "Idle", "-/-", "a/a", "", "neither sends nor passes packets", {}, kReasons<DropReason::discarded>, create_element<Idle>};

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
