#include "guest/bpf/slot.hpp"

#include <algorithm>
#include <utility>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/bpf/jit/compiler.hpp"
#include "guest/core/format.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {
namespace {

constexpr std::uint64_t probation_min_traps = 32;  // or as many packets as probation lasts for, where these are fewer
constexpr std::uint64_t clock_runs = 64;           // how often the clock is read, in runs
constexpr std::uint32_t xdp_aborted = 0;           // linux/bpf.h, enum xdp_action

// Adds the time from its birth to its death.
class Stopwatch {
  public:
    Stopwatch(std::uint64_t& start, std::uint64_t& duration) : duration_{duration}, start_{platform::monotonic_ns()} { start = start_; }
    ~Stopwatch() { duration_ = platform::monotonic_ns() - start_; }

  private:
    std::uint64_t& duration_;
    std::uint64_t start_;
};

}  // namespace

Result<EngineOption> parse_engine(std::string_view text) {
    if (text == "auto") return EngineOption::automatic;
    if (text == "interpreter") return EngineOption::interpreter;
    if (text == "jit") return EngineOption::jit;
    return Error{"option", "ENGINE must be `auto`, `interpreter` or `jit`"};
}

Result<IsolationOption> parse_isolation(std::string_view text) {
    if (text == "auto") return IsolationOption::automatic;
    if (text == "none") return IsolationOption::none;
    if (text == "pku") return IsolationOption::pku;
    return Error{"option", "ISOLATION must be `auto`, `none` or `pku`"};
}

std::string_view ProgramSlot::engine() const { return active_ && active_->native() ? "jit" : "interpreter"; }

void ProgramSlot::set_limits(std::uint64_t budget, std::uint64_t probation_ns) {
    options_.budget = budget;
    options_.probation_ns = probation_ns;
}

Status ProgramSlot::isolate() {
    isolated_ = TRY(IsolatedRuns::create());
    return done();
}

Status ProgramSlot::stage(std::span<const std::uint8_t> bundle, const MapPlan& plan, const ReleaseMeta& meta, StageReport& report) {
    collect();
    auto view = make<BundleView>();
    auto shape = make<ProgramShape>();
    auto maps = make<MapReport>();
    if (!view || !shape || !maps) return Error{"memory", "the heap has no room to stage a program"};
    {
        Stopwatch watch{report.decode_start_ns, report.decode_ns};
        TRY(decode_bundle(bundle, *view));
        TRY(check_identity(*view));
        TRY(validate_program(*view, *shape));
    }
    Loader loader{*view, isolated_ ? isolated_->key() : platform::PageKey::guest};
    {
        Stopwatch watch{report.maps_start_ns, report.maps_ns};
        TRY(loader.build_maps(plan, active_.get(), *maps));
    }
    Owned<Program> program;
    {
        Stopwatch watch{report.load_start_ns, report.load_ns};
        program = TRY(loader.link(*shape));
        TRY(choose_engine(*program, *shape));
    }
    report.map_count = maps->count;
    std::copy_n(maps->maps.begin(), maps->count, report.maps.begin());
    {
        platform::NoPreempt whole;
        std::swap(staged_, program);
        staged_meta_ = meta;
    }
    return done();  // the program that was staged before is released here
}

// Of what the envelope says the same things are checked by control; here they hold for every way to a slot.
Status ProgramSlot::check_identity(const BundleView& bundle) const {
    if (bundle.kind != options_.kind) return Error{"kind", "the bundle's kind is not the element's", static_cast<std::uint64_t>(bundle.kind)};
    if (bundle.name != options_.program) return Error{"program", "the bundle's program is not the element's"};
    if (bundle.outputs > options_.outputs) return Error{"limits", "the program names more outputs than the element has", bundle.outputs};
    return done();
}

// Room is for what runs and what comes: the program that a roll-back would bring goes on as bytecode where there is too little.
bool ProgramSlot::previous_to_bytecode() {
    Program* previous = previous_.get();  // stays until `collect`, which runs on this stack
    if (previous == nullptr || !previous->native() || !prepare(*previous)) return false;
    NativeCode gone;
    const platform::NoPreempt whole;
    if (previous_.get() != previous) return false;  // it came back meanwhile
    previous->set_native(std::move(gone));
    return true;
}

void ProgramSlot::say_interpreted(const Program& program) const {
    TextBuffer<192> line;
    line.text("unibpf: element `").visible(options_.element).text("`: no memory for native code of ").number(program.code().size());
    line.text(" instructions, the interpreter runs them\n");
    platform::console_write(line.view());
}

// `auto` takes the interpreter when there is no room for native code, and says so; `jit` never falls back. Where any program is isolated, the
// code of all is guarded: one may jump into another's.
Status ProgramSlot::choose_engine(Program& program, const ProgramShape& shape) {
    if (options_.engine != EngineOption::interpreter) {
        const auto guard = IsolatedRuns::any() ? jit::Guard::if_found : jit::Guard::off;
        auto native = jit::compile(program.code(), shape, jit::Features::of_this_cpu(), guard);
        if (!native.ok() && native.error().rule == std::string_view{"memory"} && previous_to_bytecode())
            native = jit::compile(program.code(), shape, jit::Features::of_this_cpu(), guard);
        if (native.ok()) return program.set_native(std::move(native).value()), done();
        if (options_.engine == EngineOption::jit) return native.error();
        say_interpreted(program);
    }
    return prepare(program);
}

void ProgramSlot::collect() {
    for (auto& program : retired_) {
        Owned<Program> gone;
        {
            platform::NoPreempt whole;
            std::swap(gone, program);
        }
    }
}

bool ProgramSlot::has_retired() const {
    return std::ranges::any_of(retired_, [](const Owned<Program>& program) { return static_cast<bool>(program); });
}

Status ProgramSlot::activate() {
    if (!staged_) return Error{"nothing-staged", "no program is staged"};
    if (previous_) retire(std::move(previous_));
    const std::uint64_t now = platform::monotonic_ns();
    // Where few packets come, a program that had its time and no trap has proven what can be proven there.
    const bool is_dead = probation_runs_ != 0 && probation_dead_ == probation_runs_;
    previous_proven_ = active_ && (probation_until_ns_ == 0 || (now > probation_until_ns_ && probation_traps_ == 0 && !is_dead));
    previous_ = std::move(active_);
    previous_meta_ = active_meta_;
    active_ = std::move(staged_);
    active_meta_ = staged_meta_;
    raise_floor(active_meta_.sequence);
    probation_ = active_meta_.probation.value_or(Probation{options_.probation_ns});
    probation_until_ns_ = probation_.ns == 0 ? 0 : now + probation_.ns;
    probation_runs_ = 0;
    probation_traps_ = 0;
    probation_dead_ = 0;
    return done();
}

Status ProgramSlot::rollback() {
    if (!previous_) return Error{"nothing-previous", "no previous program is loaded"};
    swap_active_and_previous();
    return done();
}

// The program that comes back is not on probation again: one automatic rollback must not lead to another.
void ProgramSlot::swap_active_and_previous() {
    std::swap(active_, previous_);
    std::swap(active_meta_, previous_meta_);
    probation_until_ns_ = 0;
    previous_proven_ = false;
}

// Two places suffice: control collects before each stage, and one stage leads to at most one activation.
void ProgramSlot::retire(Owned<Program>&& program) {
    for (auto& place : retired_) {
        if (place) continue;
        place = std::move(program);
        return;
    }
    platform::panic("bpf slot: a third program retired without collect");
}

RunResult ProgramSlot::conclude(const Ended& ended) {
    if (probation_until_ns_ != 0) watch_probation(ended);
    if (ended.stop == Stop::exit) return {RunOutcome::ok, ended.code, ended.redirect_port};
    ++(ended.stop == Stop::budget ? counters_.budget : counters_.fault);
    return {ended.stop == Stop::budget ? RunOutcome::budget : RunOutcome::fault, 0};
}

RunResult ProgramSlot::Runner::run(Packet& packet) {
    SlotCounters& counters = slot_.counters_;
    ++counters.packets;
    const Program* active = slot_.active_.get();
    if (active == nullptr) {
        ++counters.no_program;
        return {RunOutcome::no_program, 0};
    }
    const Stop stop = execute(*active, packet);
    return slot_.conclude({stop, static_cast<std::uint32_t>(machine_->r0), machine_->redirect_port});
}

// After a fault the rest of the batch runs: the program that ran, or the one that it was rolled back to.
void ProgramSlot::run_isolated(Batch& batch, std::span<RunResult, Batch::most_packets> results) {
    std::array<Ended, Batch::most_packets> ended;
    counters_.packets += batch.size();
    if (!active_) {
        counters_.no_program += batch.size();
        std::fill_n(results.begin(), batch.size(), RunResult{});
        return;
    }
    for (std::size_t next = 0; next < batch.size();) {
        const std::size_t first = std::exchange(next, isolated_->run(*active_, options_.budget, batch, next, ended));
        for (std::size_t i = first; i < next; ++i) results[i] = conclude(ended[i]);
    }
}

// Another program than before only after an activation or a rollback.
Stop ProgramSlot::Runner::execute(const Program& active, Packet& packet) {
    if (machine_ && &machine_->program == &active) machine_->begin(packet);
    else machine_.emplace(active, packet, slot_.options_.budget);
    return active.native() ? jit::run(*machine_) : interpret_trusting(*machine_);
}

bool ProgramSlot::is_over(std::uint64_t runs) const {
    return runs >= probation_.packets && platform::monotonic_ns() > probation_until_ns_;
}

void ProgramSlot::watch_probation(const Ended& ended) {
    ++probation_runs_;
    const bool trapped = ended.stop != Stop::exit;
    const bool aborted = !trapped && ended.code == xdp_aborted && options_.kind != abi::Kind::classifier;
    if (!trapped && !aborted) {
        // The clock is not read at every run: probation may last a few packets longer.
        const bool is_time = probation_runs_ % clock_runs == 0 || probation_runs_ == probation_.packets;
        if (is_time && is_over(probation_runs_)) probation_until_ns_ = 0;
        return;
    }
    // It ends by time and packets: a bad program is found out by the first that come, however late.
    if (is_over(probation_runs_ - 1)) {
        probation_until_ns_ = 0;
        return;
    }
    ++probation_dead_;
    if (trapped || probation_.counts_aborted) ++probation_traps_;
    const std::uint64_t enough = std::min(probation_min_traps, probation_.packets);
    const bool too_many = probation_traps_ >= enough && probation_traps_ * probation_.share >= probation_runs_;
    const bool all_dead = probation_runs_ >= enough && probation_dead_ == probation_runs_;
    if (!(too_many || all_dead) || !previous_ || !previous_proven_) return;
    swap_active_and_previous();
    ++counters_.rollbacks;
}

const Map* ProgramSlot::find_map(std::string_view name) const { return active_ ? active_->find_map(name) : nullptr; }

Status SlotRegistry::add(ProgramSlot& slot) {
    if (count_ == capacity) return Error{"limits", "too many BPF elements", capacity};
    slots_[count_++] = &slot;
    return done();
}

void SlotRegistry::remove(ProgramSlot& slot) {
    auto* end = slots_.begin() + count_;
    auto* found = std::find(slots_.begin(), end, &slot);
    if (found == end) return;
    std::copy(found + 1, end, found);
    --count_;
}

ProgramSlot* SlotRegistry::find(std::string_view element) const {
    for (ProgramSlot* slot : slots()) {
        if (slot->element() == element) return slot;
    }
    return nullptr;
}

}  // namespace unibpf
