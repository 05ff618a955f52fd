#include "guest/elements/basic/meter.hpp"

#include <algorithm>
#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr Handler meter_rows[] = {count_handler, drops_handler, {"rate", nullptr, nullptr, [](Element& e, std::string_view, Text& out) -> Status { return out.number(static_cast<RateMeter&>(e).rate()), done(); }}};
constexpr Handler average_rows[] = {
    read_handler<AverageCounter, &AverageCounter::counted>("count"),
    read_handler<AverageCounter, &AverageCounter::bytes>("byte_count"),
    read_handler<AverageCounter, &AverageCounter::rate>("rate"),
    read_handler<AverageCounter, &AverageCounter::byte_rate>("byte_rate"),
    {"reset", nullptr, [](Element& e, std::string_view) { return static_cast<AverageCounter&>(e).reset(), done(); }},
};

}  // namespace

constinit const ElementClass Meter::class_row{"Meter", "1/-", "h/h", "RATE1 [, RATE2, ...]", "sorts packets by the rate at which they come", meter_rows, reason_list<DropReason::policed>, create_element<Meter>};
constinit const ElementClass BandwidthMeter::class_row{"BandwidthMeter", "1/-", "h/h", "RATE1 [, RATE2, ...]", "sorts packets by the bandwidth at which they come", meter_rows, reason_list<DropReason::policed>, create_element<BandwidthMeter>};
constinit const ElementClass AverageCounter::class_row{"AverageCounter", "1/1", "a/a", "[IGNORE]", "counts packets and says at what rate they came", average_rows, {}, create_element<AverageCounter>};

void RateAverage::advance(std::uint64_t now_ns) {
    if (!std::exchange(begun_, true)) begun_ns_ = now_ns;
    for (unsigned steps = 0; now_ns - begun_ns_ >= step_ns && steps < 64; ++steps, begun_ns_ += step_ns) {
        average_ = average_ * 4 / 5 + (in_step_ << 16) / 5;
        in_step_ = 0;
    }
    if (now_ns - begun_ns_ >= step_ns) begun_ns_ = now_ns, average_ = 0;
}

void RateAverage::add(std::uint64_t units, std::uint64_t now_ns) {
    advance(now_ns);
    in_step_ += units;
}

std::uint64_t RateAverage::per_second(std::uint64_t now_ns) {
    advance(now_ns);
    return (average_ * (second_ns / step_ns)) >> 16;
}

void RateMeter::configure(Args& args) {
    while (const Arg* arg = args.next()) {
        Bandwidth bandwidth;
        std::uint64_t rate = 0;
        if (count_ == most_rates) return args.error("more than ", most_rates, " rates");
        const bool read = bytes_ ? read_word(arg->text, bandwidth) : read_word(arg->text, rate);
        if (!read) args.errors().add(arg->place, "`", name(), "`: got `", arg->text, "`, expected a rate");
        rates_[count_++] = bytes_ ? bandwidth.bytes_per_second : rate;
    }
    if (count_ == 0) args.error("missing argument `RATE1`");
    if (outputs() > count_ + 1) args.error("got ", outputs(), " connected outputs, expected at most ", count_ + 1);
}

std::uint64_t RateMeter::rate() { return average_.per_second(router().now()); }

void RateMeter::push(unsigned, Batch&& batch) {
    std::uint64_t units = batch.size();
    if (bytes_) {
        units = 0;
        for (const Packet& packet : batch) units += packet.length();
    }
    average_.add(units, router().now());
    const std::uint64_t now = rate();
    unsigned port = 0;
    while (port < count_ && now >= rates_[port]) ++port;
    push_or_drop(port, std::move(batch), DropReason::policed);
}

void AverageCounter::configure(Args& args) { args.optional("IGNORE", ignored_s_); }

void AverageCounter::process(Batch& batch) {
    const std::uint64_t now = router().now();
    if (first_ns_ == 0) first_ns_ = now;
    if (now - first_ns_ < ignored_s_ * second_ns) return;
    counted_ += batch.size();
    for (const Packet& packet : batch) bytes_ += packet.length();
    last_ns_ = now;
}

std::uint64_t AverageCounter::per_second(std::uint64_t units) const {
    const std::uint64_t from = first_ns_ + ignored_s_ * second_ns;
    if (last_ns_ <= from) return 0;
    return units * 1'000'000 / std::max<std::uint64_t>((last_ns_ - from) / 1'000, 1);
}

void AverageCounter::reset() {
    reset_counters();
    counted_ = bytes_ = first_ns_ = last_ns_ = 0;
}

void AverageCounter::take_state(Element& old_element) {
    const auto& old = static_cast<const AverageCounter&>(old_element);
    counted_ = old.counted_;
    bytes_ = old.bytes_;
    first_ns_ = old.first_ns_;
    last_ns_ = old.last_ns_;
}

}  // namespace unibpf
