// unibpf-pktgen --tx SOCKET --rx SOCKET --port P [--port P ...] [--rate PPS] [--seconds S] [--sources N]
//
// An open-loop generator and receiver: packets leave by the clock whatever comes back. Ports take turns, one class each.
// Runs for S seconds, or until SIGTERM or SIGINT; then waits 300 ms for late packets and
// prints one JSON object on standard output: per class sent, received, lost, the first missing number, and how often the
// stream of numbers changed between "arrives" and "is missing" (1 = a clean cut); pauses as [end ns, length ns]; and for how
// long it was itself not run (`stalled_us`: rounds that came more than 5 ms late). What a stall held up goes out at four times the
// rate, not at once: a burst that no sender of this rate would make says nothing about the guest.
// Exit code: 0 done, 2 usage, 3 the connection broke.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>

#include "benchmarks/pktgen/frames.hpp"
#include "benchmarks/pktgen/stream.hpp"
#include "benchmarks/pktgen/tally.hpp"

namespace pktgen {
namespace {

constexpr std::uint64_t tick_ns = 500'000;
constexpr std::uint64_t drain_ns = 300'000'000;
constexpr std::uint64_t least_burst = 32, catch_up = 4;
constexpr std::uint64_t late_ns = 5'000'000;  // a round that comes so much later than it should is a stall of ours
constexpr int urgent = -10;                   // as nice(2) counts

volatile std::sig_atomic_t stop_requested = 0;

struct Options {
    std::string tx, rx;
    std::vector<std::uint16_t> ports;
    std::uint64_t rate = 20'000;
    double seconds = 1e9;
    std::uint32_t sources = 1;
};

Options parse(int count, char** words) {
    Options options;
    for (int at = 1; at + 1 < count; at += 2) {
        const std::string name = words[at], value = words[at + 1];
        if (name == "--tx") options.tx = value;
        else if (name == "--rx") options.rx = value;
        else if (name == "--port") options.ports.push_back(static_cast<std::uint16_t>(std::stoul(value)));
        else if (name == "--rate") options.rate = std::stoul(value);
        else if (name == "--seconds") options.seconds = std::stod(value);
        else if (name == "--sources") options.sources = static_cast<std::uint32_t>(std::stoul(value));
        else throw std::invalid_argument("unknown option `" + name + "`");
    }
    if (options.tx.empty() || options.rx.empty() || options.ports.empty() || options.sources == 0)
        throw std::invalid_argument("`--tx`, `--rx` and at least one `--port` are needed");
    return options;
}

class Generator {
  public:
    explicit Generator(const Options& options)
        : options_{options}, tx_{options.tx}, rx_{options.rx}, tally_{options.ports} {}

    void run() {
        started_ns_ = now_ns();
        const auto end = started_ns_ + static_cast<std::uint64_t>(options_.seconds * 1e9);
        auto round_ns = started_ns_;
        while (!stop_requested && now_ns() < end) {
            tally_.note_round(round_ns, late_ns);
            round_ns = now_ns();
            send_due();
            receive_until((now_ns() / tick_ns + 1) * tick_ns);
        }
        elapsed_ns_ = now_ns() - started_ns_;
        const auto drained = now_ns() + drain_ns;
        while (now_ns() < drained) receive_until(drained);
    }

    void print() const { tally_.print(std::cout, started_ns_, elapsed_ns_); }

  private:
    void send_due() {
        const auto due = static_cast<std::uint64_t>(static_cast<double>(now_ns() - started_ns_) * 1e-9 * static_cast<double>(options_.rate));
        const auto first = handed_out_;
        for (; handed_out_ < due && handed_out_ - first < most_per_round(); ++handed_out_) {
            const auto index = static_cast<std::uint32_t>(handed_out_ % options_.ports.size());
            const Flow flow{.source_address = 0x0a000002 + static_cast<std::uint32_t>(handed_out_ / options_.ports.size() % options_.sources),
                            .destination_port = options_.ports[index]};
            tx_.add(make_frame(flow, {index, tally_.next_number(index), now_ns()}));
        }
        for (auto refused = tx_.flush(); refused > 0; --refused)
            tally_.refuse(static_cast<std::uint32_t>((handed_out_ - refused) % options_.ports.size()));
    }

    std::uint64_t most_per_round() const {
        const std::uint64_t a_tick = options_.rate * tick_ns / 1'000'000'000u;
        return std::max(least_burst, catch_up * a_tick);
    }

    void receive_until(std::uint64_t deadline) {
        for (auto now = now_ns(); now < deadline; now = now_ns()) {
            pollfd waiting[2] = {{rx_.descriptor(), POLLIN, 0}, {tx_.descriptor(), POLLIN, 0}};
            const timespec left{0, static_cast<long>(std::min<std::uint64_t>(deadline - now, tick_ns))};
            if (ppoll(waiting, 2, &left, nullptr) < 0) return;
            const auto arrived = now_ns();
            bool alive = true;
            if (waiting[0].revents) alive &= rx_.receive([&](auto frame) {
                if (const auto stamp = read_stamp(frame)) tally_.arrive(*stamp, arrived);
            });
            if (waiting[1].revents) alive &= tx_.receive([](auto) {});
            if (!alive) throw std::runtime_error("the guest closed the connection");
        }
    }

    Options options_;
    Stream tx_, rx_;
    Tally tally_;
    std::uint64_t started_ns_ = 0, elapsed_ns_ = 0, handed_out_ = 0;
};

int run(int count, char** words) {
    for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { stop_requested = 1; });
    setpriority(PRIO_PROCESS, 0, urgent);  // where that is allowed; a measure that waits for the CPU measures the machine
    Generator generator{parse(count, words)};
    std::cerr << "pktgen: sending\n"
              << std::flush;
    try {
        generator.run();
    } catch (const std::runtime_error& error) {
        generator.print();
        std::cerr << "pktgen: " << error.what() << "\n";
        return 3;
    }
    generator.print();
    return 0;
}

}  // namespace
}  // namespace pktgen

int main(int count, char** words) {
    try {
        return pktgen::run(count, words);
    } catch (const std::exception& error) {
        std::cerr << "pktgen: " << error.what() << "\n";
        return 2;
    }
}
