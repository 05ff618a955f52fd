// The guest from its first instruction to its last: guest_main is the table of contents.
//
// Everything made here lives until the guest ends. What the boot image gets wrong ends the guest with a panic that names the
// rule, before a packet has moved; a bad first program does not: its element starts without one and fails closed.
#include <algorithm>
#include <array>

#include "guest/bpf/maps/random.hpp"
#include "guest/bpf/slot.hpp"
#include "guest/control/boot.hpp"
#include "guest/control/update/context.hpp"
#include "guest/control/control.hpp"
#include "guest/control/control_element.hpp"
#include "guest/control/trust/crypto.hpp"
#include "guest/core/format.hpp"
#include "guest/core/heap.hpp"
#include "guest/core/loop_stats.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/elements/queue/queue.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "guest/loop.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

constexpr std::size_t least_slots = 1280;  // three NICs' receive rings (768) and as many on their way
constexpr std::size_t most_slots = 8192;
constexpr std::size_t left_for_regions = 512 * 1024;  // rings of the NICs
constexpr std::string_view management_name = "mgmt";     // schemas/boot.cddl, key 9

struct Guest {
    BootImage image;
    BootGraph graph;
    std::array<Nic*, Nic::most_nics> data_nics{};
    std::size_t data_nic_count = 0;
    Nic* management = nullptr;
    Registry registry;
    SlotRegistry slots;
    ControlContext context;
    Environment environment;
    Owned<Router> router;
    Control* control = nullptr;
    LoopStats loop;
};

// One part of the boot, timed for `status`.
struct BootStep {
    const char* name;
    std::uint64_t start_ns;
    std::uint64_t duration_ns;
};
std::array<BootStep, 8> boot_steps;
std::size_t boot_step_count = 0;
std::uint64_t step_began = 0;

void step_done(const char* name) {
    const std::uint64_t now = platform::monotonic_ns();
    boot_steps[boot_step_count++] = {name, step_began - platform::entry_ns(), now - step_began};
    step_began = now;
}

template <typename... Parts>
[[noreturn]] void refuse_to_boot(Parts... parts) {
    TextBuffer<400> line;
    (line.visible(parts), ...);
    platform::panic(line.view());
}

void divide_memory() {
    const std::size_t slots = std::clamp(platform::region_available() / 6 / Packet::slot_bytes, least_slots, most_slots);
    const std::size_t left = left_for_regions + platform::code_room();
    if (platform::region_available() < PacketPool::region_bytes(slots) + left + (1u << 20)) platform::panic("boot: too little memory");
    PacketPool::system(slots);
    Heap::system(platform::region_available() - left);
}

// On the heap, not in the image: its defaults are not all zero and would be seven kilobytes of file.
Guest& create_guest() {
    static Owned<Guest> guest = make<Guest>();
    if (!guest) platform::panic("boot: no memory for the guest");
    return *guest;
}

void read_boot_image(BootImage& image) {
    const auto module = platform::boot_module();
    if (module.empty()) platform::panic("boot: no boot image (the first initrd module)");
    // std::byte and std::uint8_t may alias.
    const Status parsed = parse_boot_image({reinterpret_cast<const std::uint8_t*>(module.data()), module.size()}, image);
    if (!parsed) refuse_to_boot("boot: the boot image is refused by rule `", parsed.error().rule, "`: ", parsed.error().text);
    platform::set_wall_clock_us(image.wall_clock_us);
}

// Hash tables of two boots differ, and nobody on the network can compute either.
void seed_random(const BootImage& image) {
    constexpr std::string_view random_salt = "unibpf.v1", random_purpose = "packet-random";
    const auto bytes = [](std::string_view text) { return Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; };
    std::array<std::uint8_t, 16> seed;
    crypto::Hkdf{bytes(random_salt), image.seed}.expand(bytes(random_purpose), seed);
    random::seed(seed);
}

// Everything is derived from it now; whoever reads the guest's memory later finds it nowhere.
void forget_seed(BootImage& image) {
    crypto::wipe(image.seed);
    const auto module = platform::boot_module();
    const auto at = image.seed_in_image.data() - reinterpret_cast<const std::uint8_t*>(module.data());
    // Sound: the module is the guest's own copy; std::byte and std::uint8_t may alias.
    crypto::wipe({reinterpret_cast<std::uint8_t*>(module.data()) + at, image.seed_in_image.size()});
}

void say_missing(const BootNic& nic) {
    TextBuffer<128> line;
    line.text("unibpf: the machine has no NIC for `").text(nic.name).text("` of the boot image\n");
    platform::console_write(line.view());
}

// Only NICs that the boot image names exist for the guest; the management NIC does not exist for the graph.
void name_nics(Guest& guest) {
    for (const BootNic& named : guest.image.nics) {
        const auto nics = discover_nics();
        const auto found = std::ranges::find_if(nics, [&](const Nic* nic) { return nic->mac() == named.mac; });
        if (found == nics.end()) {
            say_missing(named);
            continue;
        }
        (*found)->set_name(named.name);
        if (named.name == management_name) {
            guest.management = *found;
            guest.management->serve_management();
        } else {
            guest.data_nics[guest.data_nic_count++] = *found;
        }
    }
}

void verify_graph(Guest& guest) {
    const auto verified = verify_boot_graph(guest.image, platform::wall_clock_us());
    if (!verified) refuse_to_boot("boot: the graph is refused by rule `", verified.error().rule, "`: ", verified.error().text);
    guest.graph = verified.value();
}

void say_error(const Errors::Entry& error) {
    TextBuffer<256> line;
    line.text("unibpf: graph ").number(error.place.line).text(":").number(error.place.column).text(": ").visible(error.text()).text("\n");
    platform::console_write(line.view());
}

void build_router(Guest& guest) {
    guest.registry.add(standard_elements());
    guest.registry.add(control_element_class);
    guest.environment = {.nics = {guest.data_nics.data(), guest.data_nic_count},
                         .pool = &PacketPool::system(),
                         .slots = &guest.slots,
                         .control = &guest.context,
                         .print = platform::console_write};
    static Errors errors;
    guest.router = Router::create(guest.graph.text, guest.registry, guest.environment, errors, platform::monotonic_ns());
    if (guest.router) Queue::divide_slots(*guest.router, PacketPool::system(), errors);
    for (std::size_t i = 0; i < errors.kept(); ++i) say_error(errors[i]);
    if (!errors.empty()) platform::panic("boot: the graph has errors");
}

void start_control(Guest& guest) {
    const auto control = Control::create({.boot = &guest.image,
                                          .graph = guest.graph,
                                          .context = &guest.context,
                                          .router = guest.router.get(),
                                          .slots = &guest.slots,
                                          .management = guest.management,
                                          .loop = &guest.loop,
                                          .nics = guest.data_nics.data(),
                                          .nic_count = static_cast<std::uint32_t>(guest.data_nic_count),
                                          .entry_ns = platform::entry_ns()});
    if (!control) refuse_to_boot("boot: no control channel: ", control.error().text);
    guest.control = control.value();
    forget_seed(guest.image);
    guest.control->load_first_programs();
    static OwnedArray<std::byte> stack = make_array<std::byte>(Control::stack_bytes);
    if (!stack) platform::panic("boot: no memory for the control stack");
    platform::control_start(Control::entry, guest.control, stack.span());
}

// schemas/boot.cddl: the line that the host waits for.
void say_ready(const Guest& guest) {
    for (std::size_t i = 0; i < boot_step_count; ++i)
        guest.control->boot_step(boot_steps[i].name, boot_steps[i].start_ns, boot_steps[i].duration_ns);
    const std::size_t nics = guest.data_nic_count + (guest.management != nullptr ? 1 : 0);
    TextBuffer<256> line;
    line.text("unibpf ready guest=").text(guest.image.guest).text(" graph=").text(guest.graph.name);
    line.text(" elements=").number(guest.router->elements().size()).text(" nics=").number(nics);
    line.text(" ns=").number(platform::monotonic_ns() - platform::entry_ns()).text("\n");
    platform::console_write(line.view());
}

}  // namespace

void guest_main() {
    step_began = platform::entry_ns();
    step_done("platform");
    divide_memory();
    Guest& guest = create_guest();
    read_boot_image(guest.image);
    seed_random(guest.image);
    step_done("image");
    name_nics(guest);
    step_done("nics");
    verify_graph(guest);
    step_done("signature");
    build_router(guest);
    step_done("graph");
    start_control(guest);
    step_done("programs");
    say_ready(guest);
    run_loop({.router = *guest.router,
              .control = *guest.control,
              .stats = guest.loop,
              .nics = discover_nics(),
              .slice_ns = guest.image.limits.control_slice_ns});
    platform::power_off(0);
}

}  // namespace unibpf
