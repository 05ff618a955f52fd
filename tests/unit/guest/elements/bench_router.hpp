// A router on fake NICs with simulated time: what the element test files drive.
#pragma once

#include <map>
#include <set>
#include <string>

#include "guest/bpf/slot.hpp"
#include "guest/core/cbor.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/fake_nic.hpp"

namespace unibpf::test {

inline std::string& console() {
    static std::string text;
    return text;
}

class BenchRouter {
  public:
    explicit BenchRouter(std::string_view graph) {
        console().clear();
        registry_.add(standard_elements());
        environment_.nics = nics_;
        environment_.pool = &pool_;
        environment_.slots = &slots_;
        environment_.print = [](std::string_view text) { console() += text; };
        replace(graph);
    }

    // Puts a new graph in the old one's place; elements of the same name and class keep their state.
    void replace(std::string_view graph) {
        Owned<Router> next = Router::create(graph, registry_, environment_, errors);
        if (next && router) next->take_state(*router);
        router = std::move(next);
    }

    FakeNic* nic(std::string_view name) {
        for (FakeNic* nic : {&eth0_, &eth1_, &eth2_})
            if (nic->name() == name) return nic;
        return nullptr;
    }

    // Rounds, a microsecond apart, until nothing happens any more.
    void run() {
        for (int round = 0; round < 1000; ++round)
            if (!router->run_once(now_ns_ += 1000)) return;
    }

    // Time passes, a millisecond a round.
    void wait(std::uint64_t milliseconds) {
        for (; milliseconds > 0; --milliseconds) router->run_once(now_ns_ += 1'000'000);
    }

    // Numbers of the helpers called (opcode 0x85, src 0), all below 256.
    static std::set<std::uint8_t> helpers_of(const std::vector<std::uint8_t>& instructions) {
        std::set<std::uint8_t> helpers;
        for (std::size_t at = 0; at + 8 <= instructions.size(); at += 8)
            if (instructions[at] == 0x85 && instructions[at + 1] >> 4 == 0) helpers.insert(instructions[at + 4]);
        return helpers;
    }

    // Makes a bundle of bare instructions, without maps, and lets it run in that element. Empty, or the rule that failed.
    std::string load(std::string_view element, const std::vector<std::uint8_t>& instructions, std::uint64_t outputs) {
        ProgramSlot* slot = slots_.find(element);
        if (!slot) return "no such slot";
        std::uint8_t buffer[4096];
        cbor::Writer bundle{buffer};
        bundle.map(10);
        bundle.uint(0), bundle.uint(1);
        bundle.uint(1), bundle.text(slot->program());
        bundle.uint(2), bundle.uint(static_cast<std::uint64_t>(slot->kind()));
        bundle.uint(3), bundle.bytes(instructions);
        bundle.uint(4), bundle.array(0);
        const std::set<std::uint8_t> helpers = helpers_of(instructions);
        bundle.uint(5), bundle.array(helpers.size());
        for (const std::uint8_t helper : helpers) bundle.uint(helper);
        bundle.uint(6), bundle.uint(outputs);
        bundle.uint(7), bundle.uint(0);
        bundle.uint(8), bundle.array(2), bundle.array(0), bundle.array(0);
        bundle.uint(9), bundle.uint(1);
        StageReport report;
        if (const Status staged = slot->stage(bundle.written(), {}, {++sequence_, {}}, report); !staged.ok())
            return std::string{staged.error().rule} + ": " + staged.error().text;
        const Status active = slot->activate();
        return active.ok() ? "" : active.error().rule;
    }

    PacketPool& pool() { return pool_; }
    Errors errors;

  private:
    PacketPool& pool_ = PacketPool::system();
    FakeNic eth0_{"eth0", 0, pool_}, eth1_{"eth1", 1, pool_}, eth2_{"eth2", 2, pool_};
    Nic* nics_[3] = {&eth0_, &eth1_, &eth2_};
    SlotRegistry slots_;
    Registry registry_;
    Environment environment_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t sequence_ = 0;

  public:
    Owned<Router> router;  // last: its elements leave `slots_` when they die
};

}  // namespace unibpf::test
