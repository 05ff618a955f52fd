#include "guest/elements/device/from_device.hpp"

#include <cstring>
#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/elements/device/device.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
// IEEE 802.3-2018 3.2.3: the group bit, and the group of all.
std::uint8_t type_of(const Packet& packet) {
    constexpr std::uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (packet.length() < sizeof everybody || (packet.data()[0] & 1) == 0) return static_cast<std::uint8_t>(PacketType::host);
    const bool all = std::memcmp(packet.data(), everybody, sizeof everybody) == 0;
    return static_cast<std::uint8_t>(all ? PacketType::broadcast : PacketType::multicast);
}

constexpr Handler handler_rows[] = {count_handler, reset_handler<FromDevice>};
}  // namespace

constinit const ElementClass FromDevice::class_row{
    "FromDevice", "0/1", "/h", "DEVNAME", "reads packets from a network interface", handler_rows, {}, create_element<FromDevice>};

void FromDevice::configure(Args& args) { args.required("DEVNAME", device_); }

void FromDevice::initialize(Environment& environment, Errors& errors) {
    nic_ = graph_nic(device_, *this, environment, errors);
    for (const Element* other : router().elements()) {
        if (!nic_ || &other->element_class() != &class_row || static_cast<const FromDevice*>(other)->nic_ != nic_ || other == this) continue;
        errors.add(place(), "`", name(), "`: `", device_, "` is read by `", other->name(), "` already");
    }
}

bool FromDevice::run_task() {
    Batch batch;
    nic_->receive(batch);
    if (batch.empty()) return false;
    count_packets(batch.size());
    for (Packet& packet : batch) packet.type = type_of(packet);
    output(0).push(std::move(batch));
    return true;
}

}  // namespace unibpf
