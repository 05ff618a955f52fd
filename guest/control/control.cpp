#include "guest/control/control.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "guest/bpf/isolated.hpp"
#include "guest/bpf/maps/random.hpp"
#include "guest/control/coap/server.hpp"
#include "guest/control/update/context.hpp"
#include "guest/control/trust/crypto.hpp"
#include "guest/control/frame_queue.hpp"
#include "guest/control/net/frames.hpp"
#include "guest/control/resources/resources.hpp"
#include "guest/control/stranger_budget.hpp"
#include "guest/control/update/updater.hpp"
#include "guest/core/format.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

constexpr std::size_t body_budget = 3 * max_signed_bundle / 2;  // of the heap, for all bodies that are being assembled

// Hands a swap from the control stack to the main stack. Control fills in the fields and publishes them by `state` (release);
// main reads them after seeing `posted` (acquire) and publishes the outcome by `finished` in the same way.
class SwapMailbox final : public Swapper {
  public:
    Status swap(ProgramSlot& slot, Swap what, Times& times) override {
        slot_ = &slot;
        what_ = what;
        if (!platform::on_control_stack()) {  // the first programs, before the loop runs
            execute();
        } else {
            state_.store(State::posted, std::memory_order_release);
            while (state_.load(std::memory_order_acquire) != State::finished) platform::control_yield();
        }
        state_.store(State::idle, std::memory_order_relaxed);
        times = times_;
        return outcome_;
    }

    // Main stack, between two batches.
    bool run_posted() {
        if (state_.load(std::memory_order_acquire) != State::posted) return false;
        execute();
        state_.store(State::finished, std::memory_order_release);
        return true;
    }

  private:
    enum class State : std::uint8_t {
        idle,
        posted,
        finished
    };

    void execute() {
        times_.start_ns = platform::monotonic_ns();
        outcome_ = what_ == Swap::activate ? slot_->activate() : slot_->rollback();
        times_.duration_ns = platform::monotonic_ns() - times_.start_ns;
    }

    std::atomic<State> state_{State::idle};
    ProgramSlot* slot_ = nullptr;
    Swap what_ = Swap::activate;
    Times times_;
    Status outcome_ = done();
};

void say(std::string_view element, const Error& error) {
    TextBuffer<320> line;
    line.text("unibpf control: element `").visible(element).text("` starts without a program: ").text(error.text);
    line.text(" (rule ").text(rule_table[rule_index(error.rule)].rule).text(")\n");
    platform::console_write(line.view());
}

}  // namespace

struct Control::State {
    State(const ControlParts& given, Owned<MacKeys> mac_keys)
        : parts{given}, keys{std::move(mac_keys)}, updater{parts, mailbox},
          resources{parts, updater, boot_steps, {platform::monotonic_ns, platform::wall_clock_us}, *keys} {}

    ControlParts parts;
    Owned<MacKeys> keys;
    SwapMailbox mailbox;
    Updater updater;
    Steps boot_steps;
    ControlResources resources;
    OwnedArray<std::uint8_t> answer_buffer;
    Owned<coap::Server> server;
    net::Local local;
    FrameQueue<32> received;
    FrameQueue<32> answers;
    FrameQueue<8> strangers;  // those who wait for their budget
    StrangerBudget budget;
    std::atomic<bool> working{false};  // the control stack is in the middle of something
    std::uint64_t spent_ns = 0;        // by the control stack, in slices that are over
    std::uint64_t slice_began_ns = 0;
    std::array<std::uint8_t, Packet::slot_bytes> frame_copy;  // of the frame in work: programs can write packet slots

    bool work();
    void take(PacketPtr frame);
    void serve_stranger(PacketPtr frame);
    net::Incoming look_into(const Packet& frame);
    bool is_known(const net::Incoming& incoming);
    std::uint64_t control_ns() const;
    void handle(const net::Incoming& incoming);
    std::size_t answer(const net::Incoming& incoming, std::span<std::uint8_t> out);
    std::size_t answer_datagram(const net::Incoming& incoming, std::span<std::uint8_t> out);
    bool receive();
    bool transmit();
};

// Maps hash their keys under a secret of this boot, whatever the machine offers as entropy; before any map is made.
static void seed_maps(std::span<const std::uint8_t, 32> seed) {
    constexpr std::uint8_t salt[] = {'u', 'n', 'i', 'b', 'p', 'f', '.', 'v', '1'};
    constexpr std::uint8_t info[] = {'m', 'a', 'p', '-', 'h', 'a', 's', 'h'};
    std::array<std::uint8_t, 16> key;
    crypto::Hkdf{salt, seed}.expand(info, key);
    random::seed(key);
}

// On a page that no isolated program can read, if there is any such program.
static Owned<MacKeys> make_keys(std::span<const std::uint8_t, 32> seed) {
    const Heap::OnPages pages{IsolatedRuns::any() ? platform::PageKey::secret : platform::PageKey::guest};
    return make<MacKeys>(derive_mac_keys(seed));
}

Result<Control*> Control::create(const ControlParts& parts) {
    seed_maps(parts.boot->seed);
    // Both live as long as the guest and are never released.
    void* state_memory = Heap::system().allocate(sizeof(State));
    void* memory = Heap::system().allocate(sizeof(Control));
    Owned<MacKeys> keys = make_keys(parts.boot->seed);
    if (state_memory == nullptr || memory == nullptr || !keys) return Error{"memory", "there is no memory for the control channel"};
    State& state = *new (state_memory) State{parts, std::move(keys)};
    TRY(state.updater.prepare());
    state.answer_buffer = make_array<std::uint8_t>(answer_buffer_bytes);
    if (!state.answer_buffer) return Error{"memory", "there is no memory for the control channel's answers"};
    state.server = make<coap::Server>(state.resources, state.answer_buffer.span(), body_budget);
    if (!state.server) return Error{"memory", "there is no memory for the CoAP server"};
    state.local.address = parts.boot->management.address;
    state.local.port = parts.boot->management.port;
    if (parts.management != nullptr) state.local.mac = parts.management->mac();
    for (ProgramSlot* slot : parts.slots->slots()) {
        slot->set_limits(parts.boot->limits.instruction_budget, parts.boot->limits.probation_ns);
        slot->raise_floor(parts.boot->floor(slot->element()));
    }
    return new (memory) Control{state};
}

void Control::load_first_programs() {
    for (const BootProgram& program : state_.parts.boot->programs) {
        const Status loaded = state_.updater.boot(program, platform::wall_clock_us() / 1'000'000);
        if (!loaded) say(program.element, loaded.error());
    }
}

void Control::boot_step(const char* name, std::uint64_t start_ns, std::uint64_t duration_ns) {
    state_.boot_steps.add({name, start_ns, duration_ns});
}

void Control::entry(void* self) {
    State& state = static_cast<Control*>(self)->state_;
    for (;;) {
        state.working.store(true, std::memory_order_release);
        if (state.work()) {
            state.updater.collect();
            continue;
        }
        state.working.store(false, std::memory_order_release);
        platform::control_yield();
    }
}

// The pool is the data path's.
static void release(PacketPtr frame) {
    const platform::NoPreempt whole;
    frame.reset();
}

// One piece of work; false if there is none now. Everything that has come is looked at before a stranger is served.
bool Control::State::work() {
    if (PacketPtr frame = received.pop()) {
        take(static_cast<PacketPtr&&>(frame));
        return true;
    }
    if (!budget.allows()) return false;
    PacketPtr frame = strangers.pop();
    if (!frame) return false;
    serve_stranger(static_cast<PacketPtr&&>(frame));
    return true;
}

void Control::State::take(PacketPtr frame) {
    const net::Incoming incoming = look_into(*frame);
    ++parts.context->frames[static_cast<std::size_t>(incoming.kind)];
    if (incoming.kind > net::FrameKind::echo_request) {
        // Ignored by name.
    } else if (is_known(incoming)) {
        handle(incoming);
    } else if (strangers.push(frame)) {
        return;
    } else {
        ++parts.context->strangers_dropped;
    }
    release(static_cast<PacketPtr&&>(frame));
}

void Control::State::serve_stranger(PacketPtr frame) {
    const std::uint64_t began_ns = control_ns();
    handle(look_into(*frame));
    release(static_cast<PacketPtr&&>(frame));
    const std::uint64_t took_ns = control_ns() - began_ns;
    const platform::NoPreempt whole;
    budget.spend(took_ns);
}

// What is judged is a private copy: it cannot change between two looks.
net::Incoming Control::State::look_into(const Packet& frame) {
    const Bytes bytes = frame.bytes();
    std::copy(bytes.begin(), bytes.end(), frame_copy.begin());
    return net::classify(Bytes{frame_copy}.first(bytes.size()), local);
}

// A question for the Ethernet address is whoever's; its answer costs less than finding out.
bool Control::State::is_known(const net::Incoming& incoming) {
    if (incoming.kind == net::FrameKind::arp_request) return true;
    if (incoming.kind != net::FrameKind::datagram) return false;
    return server->shows_key({incoming.peer.address, incoming.peer.port}, incoming.payload, platform::monotonic_ns());
}

// Control stack: how long it has had the CPU.
std::uint64_t Control::State::control_ns() const {
    const platform::NoPreempt whole;
    return spent_ns + platform::monotonic_ns() - slice_began_ns;
}

void Control::State::handle(const net::Incoming& incoming) {
    PacketPtr reply;
    {
        const platform::NoPreempt whole;
        reply = PacketPool::system().acquire(PacketPool::Use::management);
    }
    if (!reply) {
        ++parts.context->no_slot;
        return;
    }
    const std::size_t length = answer(incoming, {reply->data(), reply->tailroom()});
    const platform::NoPreempt whole;
    if (length == 0 || !reply->put(static_cast<std::uint16_t>(length)) || !answers.push(reply)) reply.reset();
}

std::size_t Control::State::answer(const net::Incoming& incoming, std::span<std::uint8_t> out) {
    switch (incoming.kind) {
        case net::FrameKind::arp_request: return net::make_arp_reply(local, incoming.peer, out);
        case net::FrameKind::echo_request: return net::make_echo_reply(local, incoming.peer, incoming.payload, out);
        case net::FrameKind::datagram: return answer_datagram(incoming, out);
        default: return 0;
    }
}

std::size_t Control::State::answer_datagram(const net::Incoming& incoming, std::span<std::uint8_t> out) {
    const coap::Endpoint peer{incoming.peer.address, incoming.peer.port};
    const std::size_t length =
        server->handle(peer, incoming.payload, platform::monotonic_ns(), out.subspan(net::datagram_offset));
    const coap::ServerCounters& counters = server->counters();
    parts.context->requests = counters.requests;
    parts.context->duplicates = counters.duplicates;
    parts.context->malformed = counters.malformed;
    return length == 0 ? 0 : net::finish_datagram(local, incoming.peer, length, out);
}

bool Control::poll() {
    const bool received = state_.receive();
    const bool swapped = state_.mailbox.run_posted();
    const bool sent = state_.transmit();
    return received || swapped || sent;
}

bool Control::State::receive() {
    if (parts.management == nullptr) return false;
    Batch batch;
    parts.management->receive(batch);
    const bool any = !batch.empty();
    while (PacketPtr packet = batch.pop_front()) {
        if (!received.push(packet)) ++parts.context->queue_full;
    }
    return any;
}

bool Control::State::transmit() {
    if (answers.empty()) return false;
    Batch batch;
    while (!batch.full()) {
        PacketPtr packet = answers.pop();
        if (!packet) break;
        (void)batch.push_back(static_cast<PacketPtr&&>(packet));
    }
    parts.management->transmit(static_cast<Batch&&>(batch));
    parts.management->flush();
    return true;
}

void Control::round(std::uint64_t now_ns, bool busy) { state_.budget.earn(now_ns, busy); }

bool Control::wants_slice() const {
    return state_.working.load(std::memory_order_acquire) || !state_.received.empty() ||
           (!state_.strangers.empty() && state_.budget.allows());
}

void Control::run_slice(std::uint64_t slice_ns) {
    state_.slice_began_ns = platform::monotonic_ns();
    platform::control_resume(slice_ns);
    state_.spent_ns += platform::monotonic_ns() - state_.slice_began_ns;
}

}  // namespace unibpf
