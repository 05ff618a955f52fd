#include "guest/drivers/nic.hpp"

#include <algorithm>

#include "guest/core/format.hpp"
#include "guest/core/heap.hpp"
#include "guest/drivers/frame_nic.hpp"
#include "guest/drivers/virtio_net.hpp"

namespace unibpf {
namespace {

// NICs live as long as the guest; these keep them.
struct Nics {
    std::array<Nic*, Nic::most_nics> list{};
    std::size_t count = 0;
    std::array<Owned<VirtioNet>, Nic::most_nics> virtio;
    std::array<Owned<FrameNic>, Nic::most_nics> frames;
    bool discovered = false;

    void add(Nic& nic) {
        nic.set_index(static_cast<std::uint8_t>(count));
        list[count++] = &nic;
    }
};

Nics& nics() {
    static Nics all;
    return all;
}

void say_failure(const Error& error) {
    TextBuffer<160> line;
    line.text("unibpf: a NIC did not start: ").text(error.text).text(", got `").hex(error.value).text("`\n");
    platform::console_write(line.view());
}

void start_virtio(VirtioTransport& transport) {
    Nics& all = nics();
    if (all.count == Nic::most_nics) return;
    Owned<VirtioNet> nic = make<VirtioNet>(transport, PacketPool::system());
    if (!nic) return say_failure({"nic", "no memory", sizeof(VirtioNet)});
    const Status started = nic->start(platform::alloc_region(VirtioNet::ring_memory()));
    if (!started) return say_failure(started.error());
    all.add(*nic);
    all.virtio[all.count - 1] = std::move(nic);
}

void discover() {
    Nics& all = nics();
    all.discovered = true;
    for (platform::FrameDevice* device : platform::frame_devices()) {
        if (all.count == Nic::most_nics) return;
        Owned<FrameNic> nic = make<FrameNic>(*device, PacketPool::system());
        if (!nic) return say_failure({"nic", "no memory", sizeof(FrameNic)});
        all.add(*nic);
        all.frames[all.count - 1] = std::move(nic);
    }
    for (const std::uint64_t window : platform::virtio_mmio_windows())
        if (VirtioTransport* transport = probe_virtio_mmio(window)) start_virtio(*transport);
    if (!platform::has_pci()) return;
    std::array<VirtioTransport*, Nic::most_nics> found{};
    const std::size_t n = probe_virtio_pci(found);
    for (std::size_t i = 0; i < n; ++i) start_virtio(*found[i]);
}

}  // namespace

void Nic::set_name(std::string_view name) {
    name_length_ = static_cast<std::uint8_t>(std::min(name.size(), name_bytes));
    std::copy_n(name.begin(), name_length_, name_.begin());
}

std::span<Nic* const> discover_nics() {
    if (!nics().discovered) discover();
    return {nics().list.data(), nics().count};
}

Nic* find_nic(std::string_view name) {
    for (Nic* nic : discover_nics())
        if (!name.empty() && nic->name() == name) return nic;
    return nullptr;
}

}  // namespace unibpf
