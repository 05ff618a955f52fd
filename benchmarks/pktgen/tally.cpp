#include "benchmarks/pktgen/tally.hpp"

#include <algorithm>

namespace pktgen {
namespace {

constexpr std::uint64_t pause_floor_ns = 900'000;
constexpr std::size_t most_pauses = 20'000;
constexpr std::size_t latency_buckets = 100'000;

std::uint64_t percentile(const std::vector<std::uint32_t>& histogram, double fraction) {
    std::uint64_t total = 0;
    for (const auto count : histogram) total += count;
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < histogram.size(); ++bucket) {
        seen += histogram[bucket];
        if (total > 0 && static_cast<double>(seen) >= fraction * static_cast<double>(total)) return bucket;
    }
    return 0;
}

}  // namespace

Tally::Tally(const std::vector<std::uint16_t>& ports) : latency_us_(latency_buckets) {
    for (const auto port : ports) classes_.push_back({.port = port, .arrived = {}});
}

void Tally::note_pause(std::uint64_t now) {
    if (last_arrival_ns_ != 0) {
        const auto length = now - last_arrival_ns_;
        longest_pause_ns_ = std::max(longest_pause_ns_, length);
        if (length >= pause_floor_ns && pauses_.size() < most_pauses) pauses_.push_back({now, length});
    }
    last_arrival_ns_ = now;
}

void Tally::note_round(std::uint64_t began_ns, std::uint64_t late_ns) {
    const auto length = now_ns() - began_ns;
    if (length > late_ns) stalled_ns_ += length;
}

void Tally::arrive(const Stamp& stamp, std::uint64_t now) {
    if (stamp.traffic_class >= classes_.size()) return;
    auto& one = classes_[stamp.traffic_class];
    if (stamp.number >= one.sent) return;
    if (one.arrived.size() < one.sent) one.arrived.resize(one.sent);
    if (one.arrived[stamp.number]) ++one.duplicates;
    one.arrived[stamp.number] = true;
    const auto microseconds = (now - stamp.sent_ns) / 1000;
    ++latency_us_[std::min<std::uint64_t>(microseconds, latency_buckets - 1)];
    note_pause(now);
}

void Tally::print_class(std::ostream& out, const ClassTally& one) const {
    std::uint64_t received = 0, changes = 0;
    std::int64_t first_missing = -1, last_received = -1;
    for (std::uint64_t number = 0; number < one.sent; ++number) {
        const bool here = number < one.arrived.size() && one.arrived[number];
        const bool before = number > 0 && number - 1 < one.arrived.size() && one.arrived[number - 1];
        if (number > 0 && here != before) ++changes;
        received += here;
        if (here) last_received = static_cast<std::int64_t>(number);
        if (!here && first_missing < 0) first_missing = static_cast<std::int64_t>(number);
    }
    out << "{\"port\":" << one.port << ",\"sent\":" << one.sent << ",\"received\":" << received
        << ",\"lost\":" << one.sent - received << ",\"refused_by_socket\":" << one.refused
        << ",\"duplicates\":" << one.duplicates << ",\"first_missing\":" << first_missing
        << ",\"last_received\":" << last_received << ",\"changes\":" << changes << "}";
}

void Tally::print(std::ostream& out, std::uint64_t started_ns, std::uint64_t elapsed_ns) const {
    out << "{\"started_ns\":" << started_ns << ",\"elapsed_ns\":" << elapsed_ns << ",\"classes\":[";
    for (std::size_t index = 0; index < classes_.size(); ++index) {
        if (index > 0) out << ",";
        print_class(out, classes_[index]);
    }
    out << "],\"longest_pause_us\":" << longest_pause_ns_ / 1000 << ",\"stalled_us\":" << stalled_ns_ / 1000
        << ",\"latency_us\":{\"p50\":" << percentile(latency_us_, 0.5)
        << ",\"p99\":" << percentile(latency_us_, 0.99) << "},\"pauses\":[";
    for (std::size_t index = 0; index < pauses_.size(); ++index)
        out << (index > 0 ? "," : "") << "[" << pauses_[index].at_ns << "," << pauses_[index].length_ns << "]";
    out << "]}\n";
}

}  // namespace pktgen
