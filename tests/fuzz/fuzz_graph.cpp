// Fuzzes the graph language: any text either becomes a router, through which packets then run, or gives errors; the heap
// and the packet pool end as they began. Seeds: tests/data/graph, tests/data/elements.
#include <cstdlib>

#include "guest/bpf/slot.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/fake_nic.hpp"

namespace {

void run(std::string_view text) {
    using namespace unibpf;
    PacketPool& pool = PacketPool::system();
    test::FakeNic eth0{"eth0", 0, pool}, eth1{"eth1", 1, pool};
    Nic* nics[] = {&eth0, &eth1};
    SlotRegistry slots;
    Registry registry;
    registry.add(standard_elements());
    Environment environment;
    environment.nics = nics;
    environment.pool = &pool;
    environment.slots = &slots;
    environment.print = [](std::string_view) {};
    Errors errors;
    const Owned<Router> router = Router::create(text, registry, environment, errors);
    if (static_cast<bool>(router) != errors.empty()) std::abort();
    if (!router) return;
    for (std::uint8_t i = 0; i < 40; ++i) eth0.arriving.push_back(test::Frame(60, i));
    for (std::uint64_t round = 1; round < 5; ++round) router->run_once(round * 1000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::size_t heap = unibpf::Heap::system().used();
    const std::size_t slots = unibpf::PacketPool::system().available();
    run({reinterpret_cast<const char*>(data), size});  // text and bytes may alias
    if (unibpf::Heap::system().used() != heap || unibpf::PacketPool::system().available() != slots) std::abort();
    return 0;
}
