#include "guest/elements/queue/unqueue.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, reset_handler<Unqueue>};
}  // namespace

constinit const ElementClass Unqueue::class_row{
    "Unqueue", "1/1", "l/h", "", "pulls packets and pushes them on", handler_rows, {}, create_element<Unqueue>};

bool Unqueue::run_task() {
    Batch batch;
    input(0).pull(batch);
    if (batch.empty()) return false;
    count_packets(batch.size());
    output(0).push(std::move(batch));
    return true;
}

}  // namespace unibpf
