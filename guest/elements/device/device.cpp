#include "guest/elements/device/device.hpp"

#include "guest/drivers/nic.hpp"

namespace unibpf {

Nic* graph_nic(std::string_view device, const Element& element, const Environment& environment, Errors& errors) {
    if (device == "mgmt") {
        errors.add(element.place(), "`", element.name(), "`: `mgmt` is the management NIC, which no graph may use");
        return nullptr;
    }
    for (Nic* nic : environment.nics)
        if (nic->name() == device) return nic;
    errors.add(element.place(), "`", element.name(), "`: this guest has no NIC named `", device, "`");
    return nullptr;
}

}  // namespace unibpf
