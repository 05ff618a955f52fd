#include "guest/elements/queue/red.hpp"

#include <algorithm>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/elements/queue/queue.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
constexpr std::uint32_t one = 65536;
constexpr unsigned most_steps = 48;
constexpr Handler handler_rows[] = {
    count_handler,
    drops_handler,
    setting_handler<RED, &RED::min_thresh, &RED::set_min_thresh>("min_thresh"),
    setting_handler<RED, &RED::max_thresh, &RED::set_max_thresh>("max_thresh"),
    {"max_p", [](const Element& e, Text& out) { static_cast<const RED&>(e).print_probability(out); }, nullptr},
    read_handler<RED, &RED::average>("avg_queue_size"),
};
}  // namespace

constinit const ElementClass RED::class_row{
    "RED", "1/1-2", "a/ah", "MIN_THRESH, MAX_THRESH, MAX_P [, QUEUES, STABILITY, GENTLE]", "drops packets early, by the length of queues", handler_rows,
    reason_list<DropReason::early>, create_element<RED>};

void RED::configure(Args& args) {
    double probability = 0;
    args.required("MIN_THRESH", min_);
    args.required("MAX_THRESH", max_);
    args.required("MAX_P", probability);
    AnyText names;
    args.keyword("QUEUES", names);
    names_ = names.text;
    args.keyword("STABILITY", stability_);
    args.keyword("GENTLE", gentle_);
    if (min_ > max_) args.error("got MIN_THRESH ", min_, " and MAX_THRESH ", max_, ", expected the first to be the smaller one");
    if (probability < 0 || probability > 1) args.error("got a MAX_P that is no probability, expected 0 to 1");
    if (stability_ < 1 || stability_ > 16) args.error("got STABILITY ", stability_, ", expected 1 to 16");
    probability_ = static_cast<std::uint32_t>(probability * one);
}

// Along pushes down, or along pulls up, up to the first queue on each way.
void RED::find_queues(Element& from, bool down, unsigned depth) {
    const unsigned ports = down ? from.outputs() : from.inputs();
    for (unsigned i = 0; i < ports && depth < most_steps; ++i) {
        const Port& port = down ? from.output(i) : from.input(i);
        if (!port.connected()) continue;
        Element& peer = *port.peer();
        if (peer.queue_capacity() == 0) find_queues(peer, down, depth + 1);
        else if (queue_count_ < most_queues && std::find(queues_.begin(), queues_.begin() + queue_count_, &peer) == queues_.begin() + queue_count_) queues_[queue_count_++] = &peer;
    }
}

void RED::initialize(Environment&, Errors& errors) {
    random::prepare();
    std::string_view names = names_;
    for (std::string_view word = next_word(names); !word.empty(); word = next_word(names)) {
        const Element* found = router().find(word, *this);
        if (!found || found->queue_capacity() == 0) errors.add(place(), "`", name(), "`: `", word, "` is no queue");
        else if (queue_count_ < most_queues) queues_[queue_count_++] = found;
    }
    if (names_.empty()) find_queues(*this, !input(0).connected(), 0);
    if (queue_count_ == 0) errors.add(place(), "`", name(), "`: no queue on its way, expected one or QUEUES");
}

bool RED::passes() {
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < queue_count_; ++i) length += static_cast<const Queue*>(queues_[i])->length();
    average_ = average_ - (average_ >> stability_) + ((length << fraction_bits) >> stability_);
    const std::uint64_t low = std::uint64_t{min_} << fraction_bits, high = std::uint64_t{max_} << fraction_bits;
    if (average_ <= low) return since_drop_ = 0, true;
    std::uint64_t chance = one;
    if (average_ <= high) chance = high == low ? one : probability_ * (average_ - low) / (high - low);
    else if (gentle_ && average_ < 2 * high) chance = probability_ + (one - probability_) * (average_ - high) / high;
    if (chance >= one) return since_drop_ = 0, false;
    // Drops come at even distances rather than in runs: the longer since the last one, the likelier.
    const std::uint64_t saved = std::uint64_t{since_drop_++} * chance;
    const std::uint64_t spread = saved >= one ? one : chance * one / (one - saved);
    if (random::next_u32() % one >= spread) return true;
    since_drop_ = 0;
    return false;
}

void RED::process(Batch& batch) {
    split(batch, [this](const Packet&) { return passes(); }, DropReason::early);
}

void RED::print_probability(Text& out) const {
    const std::uint64_t millionths = std::uint64_t{probability_} * 1'000'000 / one;
    out.number(millionths / 1'000'000).put('.');
    std::uint64_t rest = millionths % 1'000'000;
    for (std::uint64_t unit = 100'000; unit > 0; rest %= unit, unit /= 10) out.number(rest / unit);
}

void RED::take_state(Element& old) { average_ = static_cast<RED&>(old).average_; }

}  // namespace unibpf
