#include "guest/elements/queue/schedule/schedulers.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler};
constexpr Handler switch_rows[] = {count_handler, setting_handler<PullSwitch, &PullSwitch::chosen, &PullSwitch::choose>("switch")};
constexpr Handler static_rows[] = {count_handler, read_handler<PullSwitch, &PullSwitch::chosen>("switch")};
constexpr std::uint32_t most_tickets = 1u << 16;
}  // namespace

constinit const ElementClass PrioSched::class_row{"PrioSched", "1-/1", "l/l", "", "pulls from the first input that has packets", handler_rows, {}, create_element<PrioSched>};
constinit const ElementClass SimplePrioSched::class_row{"SimplePrioSched", "1-/1", "l/l", "", "pulls from the first input that has packets, as PrioSched", handler_rows, {}, create_element<SimplePrioSched>};
constinit const ElementClass RoundRobinSched::class_row{"RoundRobinSched", "1-/1", "l/l", "", "pulls from its inputs in turn", handler_rows, {}, create_element<RoundRobinSched>};
constinit const ElementClass StrideSched::class_row{"StrideSched", "1-/1", "l/l", "TICKETS, ...", "pulls from its inputs by their shares", handler_rows, {}, create_element<StrideSched>};
constinit const ElementClass DRRSched::class_row{"DRRSched", "1-/1", "l/l", "[QUANTUM]", "pulls as many bytes from each of its inputs", handler_rows, {}, create_element<DRRSched>};
constinit const ElementClass PullSwitch::class_row{"PullSwitch", "1-/1", "l/l", "[INPUT]", "pulls from one input", switch_rows, {}, create_element<PullSwitch>};
constinit const ElementClass StaticPullSwitch::class_row{"StaticPullSwitch", "1-/1", "l/l", "[INPUT]", "pulls from one input that stays", static_rows, {}, create_element<StaticPullSwitch>};

void PrioSched::pull(unsigned, Batch& batch) {
    for (unsigned i = 0; i < inputs() && batch.empty(); ++i) input(i).pull(batch);
    count_packets(batch.size());
}

void FairScheduler::initialize(Environment&, Errors& errors) {
    lanes_ = make_array<Lane>(inputs());
    if (!lanes_) errors.add(place(), "`", name(), "`: no memory for ", inputs(), " inputs");
}

bool FairScheduler::ready(unsigned lane) {
    Batch& held = lanes_[lane].held;
    if (held.empty()) {
        input(lane).pull(held);
        count_packets(held.size());
    }
    return !held.empty();
}

void FairScheduler::pull(unsigned, Batch& batch) {
    unsigned lane = 0;
    while (!batch.full() && choose(lane)) batch.push_back(lanes_[lane].held.pop_front());
}

void FairScheduler::take_state(Element& old_element) {
    auto& old = static_cast<FairScheduler&>(old_element);
    for (unsigned i = 0; i < inputs() && i < old.inputs(); ++i) lanes_[i].held = std::move(old.lanes_[i].held);
}

bool RoundRobinSched::choose(unsigned& lane) {
    for (unsigned tried = 0; tried < inputs(); ++tried) {
        lane = next_;
        if (++next_ == inputs()) next_ = 0;
        if (ready(lane)) return true;
    }
    return false;
}

void StrideSched::configure(Args& args) {
    tickets_ = make_array<std::uint32_t>(inputs());
    if (!tickets_) return args.error("no memory for ", inputs(), " inputs");
    if (args.left() != inputs()) args.error("got ", inputs(), " connected inputs, expected one for each of ", args.left(), " TICKETS");
    for (std::size_t i = 0; const Arg* arg = args.next(); ++i) {
        std::uint32_t tickets = 0;
        if (!read_word(arg->text, tickets) || tickets == 0 || tickets > most_tickets)
            args.errors().add(arg->place, "`", name(), "`: got `", arg->text, "`, expected a number from 1 to ", most_tickets);
        else if (i < tickets_.size()) tickets_[i] = tickets;
    }
}

void StrideSched::initialize(Environment& environment, Errors& errors) {
    FairScheduler::initialize(environment, errors);
    for (unsigned i = 0; lanes_ && i < inputs(); ++i)
        if (tickets_[i] > 0) lanes_[i].credit = lanes_[i].share = most_tickets / tickets_[i];
}

// The lane with the least pass; one that had nothing for a while has none saved up.
bool StrideSched::choose(unsigned& lane) {
    bool found = false;
    std::uint64_t least = 0;
    for (unsigned i = 0; i < inputs(); ++i) {
        if (!ready(i) || (found && lanes_[i].credit >= least)) continue;
        least = lanes_[lane = i].credit;
        found = true;
    }
    if (!found) return false;
    lanes_[lane].credit += lanes_[lane].share;
    for (unsigned i = 0; i < inputs(); ++i)
        if (lanes_[i].held.empty() && lanes_[i].credit < least) lanes_[i].credit = least;
    return true;
}

void DRRSched::configure(Args& args) {
    args.optional("QUANTUM", quantum_);
    if (quantum_ == 0) args.error("got QUANTUM 0, expected at least 1");
}

void DRRSched::initialize(Environment& environment, Errors& errors) {
    FairScheduler::initialize(environment, errors);
    for (unsigned i = 0; lanes_ && i < inputs(); ++i) lanes_[i].share = quantum_;
}

bool DRRSched::choose(unsigned& lane) {
    // A turn brings at least one byte, so after that many turns the longest packet goes.
    unsigned empty = 0;
    while (empty < inputs()) {
        Lane& at = lanes_[next_];
        if (ready(next_)) {
            empty = 0;
            if (std::exchange(fresh_turn_, false)) at.credit += at.share;
            if (at.held[0].length() <= at.credit) {
                at.credit -= at.held[0].length();
                lane = next_;
                return true;
            }
        } else {
            at.credit = 0;
            ++empty;
        }
        if (++next_ == inputs()) next_ = 0;
        fresh_turn_ = true;
    }
    return false;
}

void PullSwitch::configure(Args& args) {
    args.optional("INPUT", chosen_);
    if (chosen_ >= static_cast<std::int32_t>(inputs())) args.error("got INPUT ", static_cast<std::uint32_t>(chosen_), ", expected less than ", inputs());
}

void PullSwitch::pull(unsigned, Batch& batch) {
    if (chosen_ < 0 || static_cast<unsigned>(chosen_) >= inputs()) return;
    input(static_cast<unsigned>(chosen_)).pull(batch);
    count_packets(batch.size());
}

}  // namespace unibpf
