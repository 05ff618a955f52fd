#include "guest/elements/sources/timed_source.hpp"

#include <algorithm>
#include <utility>

#include "guest/elements/sources/source_handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

void read_interval(const Element& element, Text& out) {
    const std::uint64_t ns = static_cast<const TimedSource&>(element).interval().ns;
    out.number(ns / second_ns);
    if (ns % second_ns == 0) return;
    out.put('.');
    std::uint64_t rest = ns % second_ns;
    for (std::uint64_t unit = second_ns / 10; rest > 0; rest %= unit, unit /= 10) out.number(rest / unit);
}

Status write_interval(Element& element, std::string_view value) {
    Duration interval;
    if (!read_word(value, interval) || interval.ns == 0) return Error{"handler", "expected a time above 0"};
    static_cast<TimedSource&>(element).set_interval(interval);
    return done();
}

Status write_rate(Element& element, std::string_view value) {
    std::uint32_t rate = 0;
    if (!read_word(value, rate)) return Error{"handler", "expected packets a second"};
    static_cast<RatedSource&>(element).set_rate(rate);
    return done();
}

constexpr Handler timed_rows[] = {sources::made_handler, sources::active_handler, sources::limit_handler, sources::data_handler, {"interval", read_interval, write_interval}, sources::reset_source_handler};
constexpr Handler rated_rows[] = {sources::made_handler, sources::active_handler, sources::limit_handler, sources::data_handler, {"rate", [](const Element& e, Text& out) { out.number(static_cast<const RatedSource&>(e).rate()); }, write_rate}, sources::reset_source_handler};

}  // namespace

constinit const ElementClass TimedSource::class_row{
    "TimedSource", "0/1", "/h", "[INTERVAL] [, DATA, LIMIT, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP]", "makes a packet every so often", timed_rows, {}, create_element<TimedSource>};
constinit const ElementClass RatedSource::class_row{
    "RatedSource", "0/1", "/a", "[DATA] [, RATE, LIMIT, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP, BANDWIDTH]", "makes packets at a rate", rated_rows, {}, create_element<RatedSource>};

void TimedSource::configure(Args& args) {
    args.optional("INTERVAL", interval_);
    args.optional("DATA", data_);
    args.keyword("LIMIT", limit_);
    args.keyword("ACTIVE", active_);
    configure_common(args);
    if (interval_.ns == 0) args.error("got an INTERVAL of 0, expected more");
}

void TimedSource::initialize(Environment& environment, Errors& errors) {
    PacketSource::initialize(environment, errors);
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
    if (active_) timer_.schedule_at(router().now() + interval_.ns);
}

void TimedSource::run_timer(Timer&) {
    if (!active_) return;
    if (exhausted()) return end_reached();
    timer_.schedule_at(std::max(timer_.expiry_ns() + interval_.ns, router().now()));
    Batch batch;
    if (make(batch, 1) > 0) output(0).push(std::move(batch));
    if (exhausted()) end_reached();
}

void TimedSource::set_active(bool active) {
    PacketSource::set_active(active);
    if (!active) timer_.cancel();
    else if (!timer_.scheduled()) timer_.schedule_at(router().now() + interval_.ns);
}

void TimedSource::set_interval(Duration interval) {
    interval_ = interval;
    if (timer_.scheduled()) timer_.schedule_at(router().now() + interval_.ns);
}

void RatedSource::configure(Args& args) {
    args.optional("DATA", data_);
    args.optional("RATE", rate_);
    args.optional("LIMIT", limit_);
    args.optional("ACTIVE", active_);
    configure_common(args);
    Bandwidth bandwidth;
    if (!args.keyword("BANDWIDTH", bandwidth)) return;
    const std::uint64_t length = length_ >= 0 ? static_cast<std::uint64_t>(length_) : data_.size();
    rate_ = static_cast<std::uint32_t>(bandwidth.bytes_per_second / std::max<std::uint64_t>(length, 1));
}

void RatedSource::initialize(Environment& environment, Errors& errors) {
    PacketSource::initialize(environment, errors);
    if (!router().timers().add(timer_, *this)) errors.add(place(), "`", name(), "`: no memory for a timer");
}

// How many packets' time has come. The first one's is at once.
std::size_t RatedSource::due() {
    if (rate_ == 0) return 0;
    const std::uint64_t now = router().now();
    if (!std::exchange(begun_, true)) begin_ns_ = now;
    const std::uint64_t passed = now - begin_ns_;
    const std::uint64_t whole = passed / second_ns * rate_ + passed % second_ns * rate_ / second_ns + 1;
    if (whole > sent_) return static_cast<std::size_t>(std::min<std::uint64_t>(whole - sent_, Batch::most_packets));
    timer_.schedule_at(begin_ns_ + sent_ / rate_ * second_ns + (sent_ % rate_ * second_ns + rate_ - 1) / rate_);
    return 0;
}

bool RatedSource::run_task() {
    if (!active_) return false;
    if (exhausted()) return end_reached(), false;
    Batch batch;
    const std::size_t made = make(batch, due());
    sent_ += made;
    if (made > 0) output(0).push(std::move(batch));
    if (exhausted()) end_reached();
    return made > 0;
}

void RatedSource::pull(unsigned, Batch& batch) {
    if (!active_) return;
    sent_ += make(batch, due());
    if (exhausted()) end_reached();
}

void RatedSource::set_active(bool active) {
    PacketSource::set_active(active);
    begun_ = false;
    sent_ = 0;
}

void RatedSource::set_rate(std::uint32_t rate) {
    rate_ = rate;
    begun_ = false;
    sent_ = 0;
}

}  // namespace unibpf
