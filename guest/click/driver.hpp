// Driver: one graph, built from its text and run until something stops it, as Click's user-level driver does.
//
// The run ends when as many stops were asked for as it takes (one, unless a Script of TYPE DRIVER goes on). Time is the wall
// clock's, or simulated: then it stands still while there is work and jumps to the next timer when there is none.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guest/bpf/slot.hpp"
#include "guest/click/pcap_nic.hpp"
#include "guest/graph/router.hpp"

namespace unibpf::click {

class Script;

struct DriverOptions {
    std::string text;
    std::string file = "config";  // as errors name it
    std::vector<std::pair<std::string, std::string>> defines;
    bool simulated = false;
    double simulated_start = 1'000'000'000;
    std::vector<std::string> nics;  // NAME=IN,OUT each; the run ends when nothing arrives and nothing happens any more
};

class Driver final : public RunControl {
  public:
    explicit Driver(DriverOptions options);

    // Says on standard error what is wrong with the files of the NICs; false then.
    bool open_nics();
    // Says on standard error what is wrong with the graph; false then.
    bool build();
    // Scripts begin; false when one of them failed.
    void begin();
    void run();
    void stop(const Element& who) override;
    void stop_from_outside();

    Router& router() { return *router_; }
    const DriverOptions& options() const { return options_; }
    const Registry& registry() const { return registry_; }
    std::uint64_t now_ns() const { return now_ns_; }

    // A signal of that number goes to the scripts that are for it, instead of ending the run.
    void catch_signal(int number);
    void add_script(Script& script) { scripts_.push_back(&script); }
    // A fault while running: on standard error, in Click's form. The exit status is 1 then, if it counts.
    void complain(const Element* who, std::string_view text, bool counts = true);
    std::size_t faults() const { return faults_; }

  private:
    std::uint64_t read_clock() const;
    void wait();
    void handle_signals();
    bool wire_is_done() const;
    std::uint64_t next_arrival() const;
    bool goes_on();

    DriverOptions options_;
    Registry registry_;
    SlotRegistry slots_;
    std::vector<Binding> bindings_;
    Environment environment_;
    std::vector<Script*> scripts_;
    std::array<PcapNic, Nic::most_nics> nics_;
    std::array<Nic*, Nic::most_nics> nic_pointers_{};
    std::uint64_t busy_ns_ = 0;     // when something was done last
    std::uint64_t arrived_ns_ = 0;  // when the wire had something to come last
    Owned<Router> router_;  // after what it uses
    std::uint64_t now_ns_ = 0;
    int run_count_ = 1;
    std::size_t faults_ = 0;
};

// For handlers of the whole graph and of scripts, which have no other way to their driver; there is one in a process.
Driver& the_driver();

}  // namespace unibpf::click
