#include "guest/elements/basic/switch/gates.hpp"

#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

Suppressor& suppressor(Element& element) { return static_cast<Suppressor&>(element); }

Status set_port(Element& element, std::string_view text, bool allowed) {
    std::uint32_t port = 0;
    if (!read_word(text, port) || port >= element.inputs()) return Error{"handler", "expected the number of a port"};
    return suppressor(element).allow(port, allowed), done();
}

template <unsigned port>
constexpr Handler active_handler(std::string_view name) {
    return {name, [](const Element& e, Text& out) { handler_values::put(out, static_cast<const Suppressor&>(e).allowed(port)); },
            [](Element& e, std::string_view text) -> Status {
                bool allowed = false;
                if (!read_word(text, allowed)) return Error{"handler", "expected `true` or `false`"};
                return suppressor(e).allow(port, allowed), done();
            }};
}

constexpr Handler sample_rows[] = {
    count_handler,
    drops_handler,
    {"sampling_prob", [](const Element& e, Text& out) { static_cast<const RandomSample&>(e).print(out, false); }, nullptr},
    {"drop_prob", [](const Element& e, Text& out) { static_cast<const RandomSample&>(e).print(out, true); }, nullptr},
    setting_handler<RandomSample, &RandomSample::active, &RandomSample::set_active>("active"),
};
constexpr Handler block_rows[] = {count_handler, drops_handler, setting_handler<Block, &Block::thresh, &Block::set_thresh>("thresh")};
constexpr Handler suppressor_rows[] = {
    count_handler,
    drops_handler,
    active_handler<0>("active0"),
    active_handler<1>("active1"),
    active_handler<2>("active2"),
    active_handler<3>("active3"),
    active_handler<4>("active4"),
    active_handler<5>("active5"),
    active_handler<6>("active6"),
    active_handler<7>("active7"),
    {"suppress", nullptr, [](Element& e, std::string_view text) { return set_port(e, text, false); }},
    {"allow", nullptr, [](Element& e, std::string_view text) { return set_port(e, text, true); }},
    {"reset", nullptr, [](Element& e, std::string_view) { return suppressor(e).reset_ports(), done(); }},
};
constexpr Handler bypass_rows[] = {count_handler, setting_handler<Bypass, &Bypass::active, &Bypass::set_active>("active")};

}  // namespace

constinit const ElementClass RandomSample::class_row{"RandomSample", "1/1-2", "a/ah", "[P] [, SAMPLE, DROP, ACTIVE]", "lets packets pass by chance", sample_rows, reason_list<DropReason::policed>, create_element<RandomSample>};
constinit const ElementClass Block::class_row{"Block", "1/1-2", "a/ah", "[THRESH]", "stops packets", block_rows, reason_list<DropReason::policed>, create_element<Block>};
constinit const ElementClass Suppressor::class_row{"Suppressor", "-/-", "a/a", "", "passes packets on each port until told otherwise", suppressor_rows, reason_list<DropReason::policed>, create_element<Suppressor>};
constinit const ElementClass Bypass::class_row{"Bypass", "1-2/1-2", "h/h", "[ACTIVE]", "leads packets round other elements", bypass_rows, {}, create_element<Bypass>};

void RandomSample::configure(Args& args) {
    double sample = 1, dropped = 0;
    const bool given = args.optional("P", sample) || args.keyword("SAMPLE", sample);
    if (args.keyword("DROP", dropped) && !given) sample = 1 - dropped;
    args.keyword("ACTIVE", active_);
    if (sample < 0 || sample > 1) return args.error("got a probability that is none, expected 0 to 1");
    chance_ = static_cast<std::uint32_t>(sample * one);
}

void RandomSample::initialize(Environment&, Errors&) { random::prepare(); }

void RandomSample::process(Batch& batch) {
    if (!active_) return;
    split(batch, [this](const Packet&) { return random::next_u32() % one < chance_; }, DropReason::policed);
}

void RandomSample::print(Text& out, bool dropped) const {
    const std::uint64_t millionths = std::uint64_t{dropped ? one - chance_ : chance_} * 1'000'000 / one;
    out.number(millionths / 1'000'000).put('.');
    std::uint64_t rest = millionths % 1'000'000;
    for (std::uint64_t unit = 100'000; unit > 0; rest %= unit, unit /= 10) out.number(rest / unit);
}

void Block::configure(Args& args) { args.optional("THRESH", thresh_); }

void Block::process(Batch& batch) {
    split(batch, [this](const Packet&) { return thresh_ == 0; }, DropReason::policed);
}

void Suppressor::configure(Args& args) {
    if (inputs() != outputs()) args.error("got ", inputs(), " inputs and ", outputs(), " outputs, expected as many of each");
}

void Suppressor::push(unsigned port, Batch&& batch) {
    if (suppressed_[port]) drop(std::move(batch), DropReason::policed);
    else output(port).push(std::move(batch));
}

void Suppressor::pull(unsigned port, Batch& batch) {
    if (suppressed_[port]) return;
    input(port).pull(batch);
    count_packets(batch.size());
}

void Bypass::configure(Args& args) {
    args.optional("ACTIVE", active_);
    if (inputs() != outputs()) args.error("got ", inputs(), " inputs and ", outputs(), " outputs, expected as many of each");
}

void Bypass::push(unsigned port, Batch&& batch) {
    const bool round = port == 0 && !active_ && outputs() > 1;
    output(round ? 1 : 0).push(std::move(batch));
}

}  // namespace unibpf
