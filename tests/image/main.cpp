// The test image: a guest that runs whatever program it is given, a bare image or a process. No verifier has seen it, no signature is asked for, there is no
// control channel. It exists to show what becomes of a program that beats the verifier; it is never shipped, and the image that
// is shipped has no such way in.
//
// The boot module is CBOR: [graph, element, [bundle ...], packets]. The first bundle is active at once, each further one after
// `packets` more packets; the first has then survived its probation, that of the others does not end. At 0x70000, in memory that
// nobody uses, stands a word for programs to write over. The console says what has happened whenever packets have come.
// Or it is [cases], which are run one by one (cases.hpp), or [programs, packets], where each program gets all packets (streams.hpp).
#include <array>

#include "guest/bpf/maps/random.hpp"
#include "guest/bpf/slot.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/format.hpp"
#include "guest/core/heap.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "guest/platform/platform.hpp"
#include "tests/image/cases.hpp"
#include "tests/image/machine.hpp"
#include "tests/image/streams.hpp"

namespace unibpf {
namespace {

constexpr std::size_t slot_count = 1280;
constexpr std::size_t left_for_regions = 512 * 1024;
constexpr std::uint64_t short_probation_ns = 1'000'000, long_probation_ns = 60'000'000'000;
constexpr std::uint64_t canary_value = 0x1122'3344'5566'7788;

struct Order {
    std::string_view graph;
    std::string_view element;
    std::array<cbor::Bytes, 4> bundles;
    std::size_t bundle_count = 0;
    std::uint64_t packets = 0;
    bool done = false;  // there is no more to do than was done while it was read
};

Status read_order(Order& order) {
    const auto module = platform::boot_module();
    cbor::Reader reader{{reinterpret_cast<const std::uint8_t*>(module.data()), module.size()}};
    const std::uint64_t items = TRY(reader.array());
    order.done = items < 4;
    if (items == 1) return run_cases(reader);
    if (items == 2) return run_streams(reader);
    if (items != 4) return reader.error("an order has four items, or one or two");
    order.graph = TRY(reader.text());
    order.element = TRY(reader.text());
    order.bundle_count = TRY(reader.array());
    if (order.bundle_count > order.bundles.size()) return reader.error("too many bundles", order.bundle_count);
    for (std::size_t i = 0; i < order.bundle_count; ++i) order.bundles[i] = TRY(reader.bytes());
    order.packets = TRY(reader.uint());
    return done();
}

void say(const char* what, std::string_view text) {
    TextBuffer<300> line;
    line.text("test image: ").text(what).text(text).text("\n");
    platform::console_write(line.view());
}

[[noreturn]] void refuse(const char* what, const Error& error) {
    say(what, error.text);
    platform::panic("test image: refused");
}

void name_nics() {
    for (Nic* nic : discover_nics()) nic->set_name(nic->mac()[5] == 2   ? "inside"
                                                   : nic->mac()[5] == 3 ? "outside"
                                                                        : "mgmt");
}

Owned<Router> build(const Order& order, Environment& environment) {
    static Registry registry;
    static Errors errors;
    registry.add(standard_elements());
    Owned<Router> router = Router::create(order.graph, registry, environment, errors);
    for (std::size_t i = 0; i < errors.kept(); ++i) say("graph: ", errors[i].text());
    if (!router) platform::panic("test image: the graph has errors");
    return router;
}

// As Control does it, without the checks that come before.
void force_load(ProgramSlot& slot, cbor::Bytes bundle, std::uint64_t sequence) {
    StageReport report;
    const Status staged = slot.stage(bundle, {}, {.sequence = sequence, .digest = {}}, report);
    if (!staged.ok()) refuse("stage: ", staged.error());
    const Status active = slot.activate();
    if (!active.ok()) refuse("activate: ", active.error());
}

void say_state(const ProgramSlot& slot) {
    const SlotCounters& counters = slot.counters();
    TextBuffer<300> line;
    line.text("state packets=").number(counters.packets).text(" fault=").number(counters.fault);
    line.text(" rollbacks=").number(counters.rollbacks).text(" sequence=").number(slot.active()->sequence);
    line.text(" engine=").text(slot.engine()).text(" canary=").text(test_image::canary() == canary_value ? "whole" : "gone");
    line.text(" writable_code=").number(test_image::writable_code_pages()).text("\n");
    platform::console_write(line.view());
}

[[noreturn]] void run(Router& router, ProgramSlot& slot, const Order& order) {
    std::uint64_t said = 0, switch_at = order.packets;
    std::size_t next = 1;
    while (true) {
        router.run_once(platform::monotonic_ns());
        const std::uint64_t packets = slot.counters().packets;
        if (packets >= switch_at && next < order.bundle_count) {
            force_load(slot, order.bundles[next], next + 1);
            ++next;
            switch_at = packets + order.packets;
        }
        if (packets == said) continue;
        say_state(slot);
        said = packets;
    }
}

}  // namespace

void guest_main() {
    PacketPool::system(slot_count);
    Heap::system(platform::region_available() - left_for_regions - platform::code_room());
    random::seed(std::array<std::uint8_t, 16>{});
    static Order order;
    const Status read = read_order(order);
    if (!read.ok()) refuse("order: ", read.error());
    while (order.done) platform::idle_until(platform::monotonic_ns() + 1'000'000'000);
    name_nics();
    static SlotRegistry slots;
    static Environment environment{.nics = discover_nics(), .pool = &PacketPool::system(), .slots = &slots, .print = platform::console_write};
    const Owned<Router> router = build(order, environment);
    ProgramSlot* slot = slots.find(order.element);
    if (slot == nullptr) platform::panic("test image: no such element");
    slot->set_limits(abi::default_budget, short_probation_ns);
    test_image::canary() = canary_value;
    force_load(*slot, order.bundles[0], 1);
    slot->set_limits(abi::default_budget, long_probation_ns);
    test_image::say_addresses();
    platform::console_write("test image ready\n");
    run(*router, *slot, order);
}

}  // namespace unibpf
