#include "guest/elements/device/to_device.hpp"

#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, reset_handler<ToDevice>};
}  // namespace

constinit const ElementClass ToDevice::class_row{
    "ToDevice", "1/0", "a/", "DEVNAME", "sends packets to a network interface", handler_rows, {}, create_element<ToDevice>};

void ToDevice::configure(Args& args) { args.required("DEVNAME", device_); }

void ToDevice::initialize(Environment& environment, Errors& errors) { nic_ = graph_nic(device_, *this, environment, errors); }

void ToDevice::push(unsigned, Batch&& batch) { nic_->transmit(std::move(batch)); }

// Pulls only what the ring has room for: while the device is slow, packets wait in the Queue before this element. The loop
// stays awake meanwhile, because nothing else would tell that the ring has room again.
bool ToDevice::run_task() {
    if (nic_->transmit_room() < Batch::most_packets) return true;
    Batch batch;
    input(0).pull(batch);
    if (batch.empty()) return false;
    count_packets(batch.size());
    nic_->transmit(std::move(batch));
    return true;
}

}  // namespace unibpf
