#include "guest/main.hpp"

#include "guest/core/format.hpp"
#include "guest/core/heap.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

void guest_main() {
    PacketPool::system(1280);
    Heap::system(platform::region_available() / 2);
    const auto nics = discover_nics();
    TextBuffer<160> line;
    line.text("unibpf ready guest=none graph=none elements=0 nics=").number(nics.size()).text(" ns=").number(platform::monotonic_ns() - platform::entry_ns()).text("\n");
    platform::console_write(line.view());
    std::uint64_t idle = 0;
    while (!platform::power_off_requested()) {
        std::size_t n = 0;
        for (std::size_t i = 0; i + 1 < nics.size(); i += 2) {
            Batch batch;
            n += nics[i]->receive(batch);
            nics[i + 1]->transmit(static_cast<Batch&&>(batch));
            nics[i + 1]->flush();
            Batch back;
            n += nics[i + 1]->receive(back);
            nics[i]->transmit(static_cast<Batch&&>(back));
            nics[i]->flush();
        }
        idle = n != 0 ? 0 : idle + 1;
        if (idle > 100) platform::idle_until(platform::monotonic_ns() + 1'000'000);
    }
    platform::power_off(0);
}

}  // namespace unibpf
