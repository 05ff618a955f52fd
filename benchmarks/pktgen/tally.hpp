// What was sent and what came back, per class, and the pauses in between.
//
// `lost` of a class is a fact about numbers, not about totals: number n is missing when it did not arrive. A pause is the
// time between two arrivals of any class; the longest ones are kept with their moment, so that a pause can be set beside
// an update that happened at a known time.
#pragma once

#include <cstdint>
#include <ostream>
#include <vector>

#include "benchmarks/pktgen/frames.hpp"

namespace pktgen {

struct ClassTally {
    std::uint16_t port = 0;
    std::uint64_t sent = 0;     // numbers given out, whether or not the socket took them
    std::uint64_t refused = 0;  // of these, not taken by the socket
    std::uint64_t duplicates = 0;
    std::vector<bool> arrived;
};

struct Pause {
    std::uint64_t at_ns = 0;  // when it ended
    std::uint64_t length_ns = 0;
};

class Tally {
  public:
    explicit Tally(const std::vector<std::uint16_t>& ports);

    std::uint64_t next_number(std::uint32_t traffic_class) { return classes_[traffic_class].sent++; }
    void refuse(std::uint32_t traffic_class) { ++classes_[traffic_class].refused; }
    void arrive(const Stamp& stamp, std::uint64_t now);
    // The last round of the generator began then: what it took above `late_ns` is a stall of its own.
    void note_round(std::uint64_t began_ns, std::uint64_t late_ns);

    // One JSON object; `elapsed_ns` is the sending time.
    void print(std::ostream& out, std::uint64_t started_ns, std::uint64_t elapsed_ns) const;

  private:
    void note_pause(std::uint64_t now);
    void print_class(std::ostream& out, const ClassTally& one) const;

    std::vector<ClassTally> classes_;
    std::vector<Pause> pauses_;              // above pause_floor_ns, oldest first, bounded
    std::vector<std::uint32_t> latency_us_;  // histogram by microsecond, last bucket is "or more"
    std::uint64_t last_arrival_ns_ = 0;
    std::uint64_t longest_pause_ns_ = 0;
    std::uint64_t stalled_ns_ = 0;
};

}  // namespace pktgen
