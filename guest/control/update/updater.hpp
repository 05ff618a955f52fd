// Staging, swapping and rolling back programs: what the resources and the boot ask for, and what they tell about it.
//
// Invariants: a release is judged (envelope.hpp) before a byte of its bundle is decoded; staging builds beside what runs, so a
// failure at any step leaves the running program as it was; a swap is executed by a Swapper, which is the main stack between
// two batches. Facts that the data path may change (slot pointers, counters) are copied under NoPreempt.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/bpf/slot.hpp"
#include "guest/control/update/context.hpp"
#include "guest/control/parts.hpp"
#include "guest/control/trust/envelope.hpp"
#include "guest/control/steps.hpp"
#include "guest/core/heap.hpp"

namespace unibpf {

enum class Swap : std::uint8_t {
    activate,
    rollback
};

// Executes a swap between two batches and says when it ran.
class Swapper {
  public:
    struct Times {
        std::uint64_t start_ns = 0;
        std::uint64_t duration_ns = 0;
    };
    virtual Status swap(ProgramSlot& slot, Swap what, Times& times) = 0;

  protected:
    ~Swapper() = default;
};

// A signed bundle for the element of that name.
struct StageRequest {
    std::string_view element;
    Bytes message;
    std::uint64_t now_s = 0;
    bool keyed = false;  // it came with a MAC
};

// What an update did (schemas/control.cddl, staged and activated).
struct UpdateReport {
    bool already = false;
    ProgramSlot* slot = nullptr;
    Installed release;
    FixedList<MapOutcome, abi::max_maps> maps;
    std::string_view engine_before;  // of the program that a swap replaced; empty: there was none
    std::uint64_t swap_ns = 0;
    std::uint64_t longest_gap_ns = 0;
    std::uint64_t packets_during = 0;
    std::uint64_t packets_lost = 0;
};

class Updater {
  public:
    Updater(const ControlParts& parts, Swapper& swapper) : parts_{parts}, swapper_{swapper} {}
    Status prepare();  // takes memory; rule `memory`

    ProgramSlot* find(std::string_view element) const { return parts_.slots->find(element); }

    // Judges and stages.
    Status stage(const StageRequest& request, Steps& steps, UpdateReport& report);
    // Swaps to the staged program, whose envelope digest must be `digest`.
    Status activate(ProgramSlot& slot, Bytes digest, Steps& steps, UpdateReport& report);
    Status roll_back(ProgramSlot& slot, Steps& steps, UpdateReport& report);
    // Releases the programs that swaps retired. Nobody waits for that: call it when the answer is on its way.
    void collect();
    // A first program: judged by the boot floor, staged and activated.
    Status boot(const BootProgram& program, std::uint64_t now_s);

  private:
    // How the counters of a slot stood when its staging began, and what was decided for its maps.
    struct Baseline {
        std::uint64_t packets = 0;
        std::uint64_t lost = 0;
        FixedList<MapOutcome, abi::max_maps> maps;
    };

    Target target_of(std::string_view element) const;
    Status load(ProgramSlot& slot, const Judgement& judgement, bool keyed, Steps& steps, UpdateReport& report);
    void begin_measuring(const ProgramSlot& slot);
    Baseline& baseline(const ProgramSlot& slot);
    std::uint64_t lost(const ProgramSlot& slot) const;  // since boot: no program, receive ring overrun
    Status swap(ProgramSlot& slot, Swap what, Steps& steps, UpdateReport& report);

    const ControlParts& parts_;
    Swapper& swapper_;
    OwnedArray<std::uint8_t> scratch_;
    OwnedArray<Baseline> baselines_;
    Owned<Judgement> judgement_;
    Owned<StageReport> stage_report_;
};

}  // namespace unibpf
