#include "guest/elements/ip/ip_rate_monitor.hpp"

#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {
constexpr std::uint32_t one = 1u << 28, most_kib = 1u << 20;
IPRateMonitor& monitor(Element& element) { return static_cast<IPRateMonitor&>(element); }
constexpr Handler handler_rows[] = {
    count_handler,
    {"look", nullptr, nullptr, [](Element& e, std::string_view, Text& out) -> Status { return monitor(e).look(out), done(); }},
    read_handler<IPRateMonitor, &IPRateMonitor::nodes>("nodes"),
    setting_handler<IPRateMonitor, &IPRateMonitor::thresh, &IPRateMonitor::set_thresh>("thresh"),
    {"reset", nullptr, [](Element& e, std::string_view) { return monitor(e).reset(), done(); }},
};
}  // namespace

constinit const ElementClass IPRateMonitor::class_row{
    "IPRateMonitor", "1-2/1-2", "h/h", "TYPE, RATIO, THRESH [, MEMORY]", "measures rates by address, finer where there is more", handler_rows, {}, create_element<IPRateMonitor>};

void IPRateMonitor::configure(Args& args) {
    std::string_view type;
    double ratio = 1;
    if (args.required("TYPE", type) && type != "PACKETS" && type != "BYTES") args.error("got TYPE `", type, "`, expected `PACKETS` or `BYTES`");
    bytes_ = type == "BYTES";
    args.required("RATIO", ratio);
    args.required("THRESH", thresh_);
    args.optional("MEMORY", memory_kib_);
    if (ratio < 0 || ratio > 1) args.error("got a RATIO that is no fraction, expected 0 to 1");
    if (inputs() != outputs()) args.error("got ", inputs(), " inputs and ", outputs(), " outputs, expected as many of each");
    if (memory_kib_ > most_kib) args.error("got MEMORY ", memory_kib_, ", expected at most ", most_kib);
    sampled_ = static_cast<std::uint32_t>(ratio * one);
}

void IPRateMonitor::initialize(Environment&, Errors& errors) {
    random::prepare();
    nodes_ = make_array<Node>(1 + memory_kib_ * std::size_t{1024} / sizeof(Node));
    if (!nodes_) errors.add(place(), "`", name(), "`: no memory for ", memory_kib_, " KiB");
    else reset();
}

void IPRateMonitor::reset() {
    for (Node& node : nodes_.span()) node = {};
    free_ = none;
    used_ = 1;
    for (std::size_t i = nodes_.size(); i > 1; --i) nodes_[i - 1].next_free = std::exchange(free_, static_cast<std::uint32_t>(i - 1));
}

std::uint64_t IPRateMonitor::rate(Counter& counter) const {
    const std::uint64_t now = router().now();
    return counter.rates[0].per_second(now) + counter.rates[1].per_second(now);
}

// What hangs below, at most two levels of nodes more.
void IPRateMonitor::release(Counter& counter) {
    const std::uint32_t child = std::exchange(counter.child, none);
    if (child == none) return;
    for (Counter& below : nodes_[child].counters) release(below);
    nodes_[child] = {};
    nodes_[child].next_free = std::exchange(free_, child);
    --used_;
}

void IPRateMonitor::measure(std::uint32_t address, std::uint64_t units, unsigned direction) {
    std::uint32_t node = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        Counter& counter = nodes_[node].counters[address >> shift & 0xff];
        counter.rates[direction].add(units, router().now());
        const std::uint64_t now = rate(counter);
        if (counter.child != none && now < thresh_ / 2) release(counter);
        if (counter.child == none && shift > 0 && now >= thresh_ && free_ != none) {
            counter.child = free_;
            free_ = nodes_[free_].next_free;
            ++used_;
        }
        node = counter.child;
        if (node == none) return;
    }
}

void IPRateMonitor::push(unsigned port, Batch&& batch) {
    for (Packet& packet : batch) {
        if (sampled_ < one && random::next_u32() % one >= sampled_) continue;
        if (const auto ip = wire::view<wire::Ipv4>(packet.network())) measure(port == 0 ? ip.destination() : ip.source(), bytes_ ? ip.total_bytes() : 1, port);
    }
    output(port).push(std::move(batch));
}

void IPRateMonitor::print(Text& out, std::uint32_t node, std::uint32_t prefix, unsigned level) {
    for (std::uint32_t i = 0; i < 256; ++i) {
        Counter& counter = nodes_[node].counters[i];
        const std::uint32_t below = prefix | i << (24 - 8 * level);
        if (rate(counter) == 0) continue;
        IpAddress address{};
        wire::store32(address.data(), below);
        handler_values::put(out, address);
        out.put('/').number(8 * (level + 1)).put('\t').number(counter.rates[0].per_second(router().now())).put('\t').number(counter.rates[1].per_second(router().now())).put('\n');
        if (counter.child != none) print(out, counter.child, below, level + 1);
    }
}

void IPRateMonitor::look(Text& out) { print(out, 0, 0, 0); }

}  // namespace unibpf
