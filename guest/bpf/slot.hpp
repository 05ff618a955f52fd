// ProgramSlot: the place in a BPF element that holds its programs; control fills it, the data path runs it.
//
// At most three programs: staged (loaded beside, not running), active, previous (still loaded, for rollback).
//   stage     -> staged       (control stack; the old staged one is released)
//   activate  -> staged becomes active, active becomes previous, previous is retired
//   rollback  -> previous becomes active, active becomes previous; the floor does not move
// activate, rollback and run happen on the main stack between or within batches; they only move pointers. Everything that takes
// or gives memory (stage, collect, destruction) happens on the control stack, or before the main loop starts.
// The floor (design 5) rises at activation to the activated sequence and never falls.
// A slot without an active program fails closed: run() answers no_program.
//
// Probation (design 7): for some time after activate, traps are counted; at 1 in 64 runs or more (and 32 traps at least), once
// per activation and only back to a program that has itself survived its probation, the slot rolls back by itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "guest/bpf/bundle/abi.hpp"
#include "guest/bpf/isolated.hpp"
#include "guest/bpf/machine.hpp"
#include "guest/bpf/maps/map.hpp"
#include "guest/bpf/program.hpp"
#include "guest/core/heap.hpp"
#include "guest/core/result.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

enum class EngineOption : std::uint8_t {
    automatic,
    interpreter,
    jit
};
Result<EngineOption> parse_engine(std::string_view text);  // "auto", "interpreter", "jit"

enum class IsolationOption : std::uint8_t {
    automatic,
    none,
    pku
};
Result<IsolationOption> parse_isolation(std::string_view text);  // "auto", "none", "pku"

using Digest = std::array<std::uint8_t, 32>;

// How long a new program is watched, and what counts as bad there. It lasts until its time is over and its packets have run.
struct Probation {
    std::uint64_t ns = 0;             // 0: there is none
    std::uint64_t packets = 64;
    std::uint64_t share = 64;         // one bad packet in so many, or more, is too many
    bool counts_aborted = false;      // XDP_ABORTED is bad like a run that was stopped; of every packet it always is
};

// What the envelope said about a program; `digest` is the envelope's.
struct ReleaseMeta {
    std::uint64_t sequence = 0;
    Digest digest{};
    bool keyed = false;  // asked for by somebody who holds the key of this boot
    std::optional<Probation> probation{};  // none: the slot's own
};

// One timed part of staging; names as in schemas/control.cddl (decode maps load).
struct StageReport {
    std::uint64_t decode_start_ns = 0, decode_ns = 0;
    std::uint64_t maps_start_ns = 0, maps_ns = 0;
    std::uint64_t load_start_ns = 0, load_ns = 0;
    std::size_t map_count = 0;
    std::array<MapOutcome, abi::max_maps> maps{};  // names live as long as the staged program
};

enum class RunOutcome : std::uint8_t {
    ok,          // `code` is r0
    no_program,  // nothing active: drop (DropReason::no_program)
    budget,      // stopped by the instruction budget: drop (DropReason::budget)
    fault,       // stopped by a check: drop (DropReason::aborted)
};
struct RunResult {
    RunOutcome outcome = RunOutcome::no_program;
    std::uint32_t code = 0;  // XDP action, or the classifier's port
    std::uint32_t redirect_port = 0xffffffff;  // where XDP_REDIRECT goes
};

struct SlotCounters {
    std::uint64_t packets = 0;     // run() calls
    std::uint64_t no_program = 0;
    std::uint64_t budget = 0;
    std::uint64_t fault = 0;
    std::uint64_t rollbacks = 0;   // automatic ones
};

class ProgramSlot {
  public:
    struct Options {
        std::string_view element;  // name in the graph; outlives the slot
        std::string_view program;  // the only program that may be staged here
        abi::Kind kind = abi::Kind::filter;
        EngineOption engine = EngineOption::automatic;
        std::uint32_t outputs = 1;  // output ports of the element; a bundle that names more is refused
        std::uint64_t budget = abi::default_budget;
        std::uint64_t probation_ns = 2'000'000'000;
    };
    explicit ProgramSlot(const Options& options) : options_{options} {}
    ProgramSlot(const ProgramSlot&) = delete;
    ProgramSlot& operator=(const ProgramSlot&) = delete;

    std::string_view element() const { return options_.element; }
    std::string_view program() const { return options_.program; }
    abi::Kind kind() const { return options_.kind; }
    EngineOption engine_option() const { return options_.engine; }
    std::string_view engine() const;  // of the active program: "interpreter" or "jit"
    void set_limits(std::uint64_t budget, std::uint64_t probation_ns);

    // From now on every program of this slot runs isolated (isolated.hpp). Before the first stage; errors are IsolatedRuns::create's.
    Status isolate();
    bool isolated() const { return static_cast<bool>(isolated_); }
    std::string_view isolation() const { return isolated() ? "pku" : "none"; }  // the option's name for it

    // Control stack. Decodes, validates, builds maps by `plan` and loads, all beside the running program; on error nothing
    // has changed. Rules: abi limits kind program instruction helper map-policy memory load.
    Status stage(std::span<const std::uint8_t> bundle, const MapPlan& plan, const ReleaseMeta& meta, StageReport& report);
    void collect();  // control stack: releases programs that activate or rollback retired
    bool has_retired() const;

    // Main stack, between two batches (or before the main loop). Rules: nothing-staged nothing-previous.
    Status activate();
    Status rollback();

    // Data path: one run; for a batch make one Runner.
    RunResult run(Packet& packet) { return Runner{*this}.run(packet); }

    // Runs packets one after the other on one machine. Lives no longer than a batch.
    class Runner {
      public:
        explicit Runner(ProgramSlot& slot) : slot_{slot} {}
        RunResult run(Packet& packet);

      private:
        Stop execute(const Program& active, Packet& packet);

        ProgramSlot& slot_;
        std::optional<Machine> machine_;  // of the program that was active at the last packet
    };

    // What a slot does instead that is isolated(): all packets of a batch, results in their order. A run that a fault ends does not
    // keep the others from running.
    void run_isolated(Batch& batch, std::span<RunResult, Batch::most_packets> results);

    // Null when there is none.
    const ReleaseMeta* staged() const { return staged_ ? &staged_meta_ : nullptr; }
    void staged_is_keyed() { staged_meta_.keyed = true; }
    const ReleaseMeta* active() const { return active_ ? &active_meta_ : nullptr; }
    const ReleaseMeta* previous() const { return previous_ ? &previous_meta_ : nullptr; }
    const Program* active_program() const { return active_.get(); }
    std::uint64_t floor() const { return floor_; }
    void raise_floor(std::uint64_t sequence) {
        if (sequence > floor_) floor_ = sequence;
    }
    const SlotCounters& counters() const { return counters_; }

    // A map of the active program, for dumps; null if it has none of that name. Hold NoPreempt while reading from it.
    const Map* find_map(std::string_view name) const;

  private:
    Status check_identity(const BundleView& bundle) const;
    Status choose_engine(Program& program, const ProgramShape& shape);
    bool previous_to_bytecode();
    void say_interpreted(const Program& program) const;
    void retire(Owned<Program>&& program);
    void swap_active_and_previous();
    void watch_probation(const Ended& ended);
    bool is_over(std::uint64_t runs) const;
    RunResult conclude(const Ended& ended);

    Options options_;
    Owned<Program> staged_, active_, previous_;
    std::array<Owned<Program>, 2> retired_;
    Owned<IsolatedRuns> isolated_;
    ReleaseMeta staged_meta_, active_meta_, previous_meta_;
    std::uint64_t floor_ = 0;
    SlotCounters counters_;
    std::uint64_t probation_until_ns_ = 0;  // 0: not in probation
    Probation probation_;                   // of the active program
    std::uint64_t probation_runs_ = 0, probation_traps_ = 0;
    std::uint64_t probation_dead_ = 0;      // runs that ended in a trap or in XDP_ABORTED
    bool previous_proven_ = false;          // previous has survived its probation
};

// All slots of a guest by element name. BPF elements add theirs while the graph initializes; control looks them up.
class SlotRegistry {
  public:
    static constexpr std::size_t capacity = 64;
    Status add(ProgramSlot& slot);  // rule limits when full
    void remove(ProgramSlot& slot);
    ProgramSlot* find(std::string_view element) const;
    std::span<ProgramSlot* const> slots() const { return {slots_.data(), count_}; }

  private:
    std::array<ProgramSlot*, capacity> slots_{};
    std::size_t count_ = 0;
};

}  // namespace unibpf
