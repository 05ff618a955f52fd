// IsolatedRuns: runs of an element's programs that can write nothing but packet slots, their stack and the element's maps.
//
// The element has a page key of its own (platform.hpp, isolation), which its maps' pages bear. All runs of a batch are one isolated
// run of the platform. What they write besides, the machine and the program stack, lies on pages of theirs as well: helpers and
// engines run with the program's rights. So nothing that comes out of a run is trusted: packets are copies whose head and tail are
// checked before they are taken over, results have their kind checked here and their port where they are used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "guest/bpf/machine.hpp"
#include "guest/bpf/program.hpp"
#include "guest/core/heap.hpp"
#include "guest/core/result.hpp"
#include "guest/packet/packet.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

// How one run ended.
struct Ended {
    Stop stop = Stop::fault;
    std::uint32_t code = 0;  // r0
    std::uint32_t redirect_port = no_port;
};

class IsolatedRuns {
  public:
    // Switches isolation on for the guest if it is the first. Rules: `isolation` when the machine lacks something or every key is
    // taken (the text follows "needs"), `memory`.
    static Result<Owned<IsolatedRuns>> create();
    ~IsolatedRuns();
    IsolatedRuns(const IsolatedRuns&) = delete;
    IsolatedRuns& operator=(const IsolatedRuns&) = delete;

    static bool any();  // does one exist?
    platform::PageKey key() const { return key_; }

    // Runs `program` on the packets of `batch` from `first` on, until all have run or a fault ends a run; returns the number of the
    // first packet that has not run. `ended` has one element a packet of the batch.
    std::size_t run(const Program& program, std::uint64_t budget, Batch& batch, std::size_t first, std::span<Ended> ended);

  private:
    template <typename T, typename... Arguments>
    friend Owned<T> make(Arguments&&... arguments);
    struct Scratch;
    // What the runs read; it lies where they cannot write.
    struct Order {
        const Program* program = nullptr;
        std::uint64_t budget = 0;
        std::size_t first = 0, size = 0;
        Scratch* scratch = nullptr;
    };

    explicit IsolatedRuns(platform::PageKey key);
    static void run_order(void* order);

    platform::PageKey key_;
    Owned<Scratch> scratch_;
    Order order_;
};

}  // namespace unibpf
