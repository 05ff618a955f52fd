#include "guest/elements/bpf/bpf_element.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace unibpf {

void BpfElement::read_program(const Element& element, Text& out) { out.put(static_cast<const BpfElement&>(element).program_); }

void BpfElement::read_engine(const Element& element, Text& out) {
    const ProgramSlot& slot = *static_cast<const BpfElement&>(element).slot_;
    out.put(slot.active() ? slot.engine() : "none");
}

void BpfElement::read_isolation(const Element& element, Text& out) {
    out.put(static_cast<const BpfElement&>(element).slot_->isolation());
}

BpfElement::~BpfElement() {
    if (slots_) slots_->remove(*slot_);
}

void BpfElement::configure(Args& args) {
    args.required("PROGRAM", program_);
    std::string_view engine = "auto";
    args.keyword("ENGINE", engine);
    const Result<EngineOption> parsed = parse_engine(engine);
    if (parsed.ok()) engine_ = parsed.value();
    else args.error("got engine `", engine, "`, expected `auto`, `interpreter` or `jit`");
    std::string_view isolation = "auto";
    args.keyword("ISOLATION", isolation);
    const Result<IsolationOption> wanted = parse_isolation(isolation);
    if (wanted.ok()) isolation_ = wanted.value();
    else args.error("got isolation `", isolation, "`, expected `auto`, `none` or `pku`");
}

void BpfElement::initialize(Environment& environment, Errors& errors) {
    ProgramSlot::Options options;
    options.element = name();
    options.program = program_;
    options.kind = kind_;
    options.engine = engine_;
    options.outputs = program_outputs_ ? program_outputs_ : std::max(outputs(), action_ports);
    slot_ = make<ProgramSlot>(options);
    if (!slot_) return errors.add(place(), "`", name(), "`: no memory for a program slot");
    if (isolation_ != IsolationOption::none) {
        const Status isolated = slot_->isolate();
        const bool wanted = isolation_ == IsolationOption::pku;  // `auto`: where the machine has what it takes
        if (!isolated.ok() && wanted) return errors.add(place(), "`", name(), "`: ISOLATION pku needs ", isolated.error().text);
    }
    if (!environment.slots) return errors.add(place(), "`", name(), "`: this guest runs no programs");
    const Status added = environment.slots->add(*slot_);
    if (added.ok()) slots_ = environment.slots;
    else errors.add(place(), "`", name(), "`: more than ", SlotRegistry::capacity, " BPF elements");
}

BpfElement::Fate BpfElement::leave_by(std::uint32_t port, DropReason otherwise) const {
    if (port < outputs() && output(port).connected()) return {false, otherwise, static_cast<std::uint16_t>(port)};
    return {true, otherwise, 0};
}

// Design 7: PASS port 0, DROP port 1, TX port 2, REDIRECT the port that a devmap (or bpf_redirect) names.
BpfElement::Fate BpfElement::fate_of_action(const RunResult& result) const {
    switch (result.code) {
        case abi::xdp_pass: return leave_by(0, DropReason::no_port);
        case abi::xdp_drop: return leave_by(1, DropReason::by_program);
        case abi::xdp_tx: return leave_by(2, DropReason::no_port);
        case abi::xdp_redirect: return leave_by(result.redirect_port, DropReason::no_port);
        case abi::xdp_aborted: return {true, DropReason::aborted, 0};
        default: return {true, DropReason::unknown_code, 0};
    }
}

BpfElement::Fate BpfElement::fate(const RunResult& result) const {
    switch (result.outcome) {
        case RunOutcome::ok:
            return abi::describe(kind_).returns_port ? leave_by(result.code, DropReason::no_port) : fate_of_action(result);
        case RunOutcome::no_program: return {true, DropReason::no_program, 0};
        case RunOutcome::budget: return {true, DropReason::budget, 0};
        case RunOutcome::fault: break;
    }
    return {true, DropReason::aborted, 0};
}

// Puts the packet among those that go on, or drops it.
inline void BpfElement::settle(PacketPtr packet, const RunResult& result, Batch& kept, std::uint16_t* ports) {
    const Fate fate = this->fate(result);
    if (fate.dropped) return drop(std::move(packet), fate.reason);
    ports[kept.size()] = fate.port;
    kept.push_back(std::move(packet));
}

void BpfElement::push(unsigned, Batch&& batch) {
    if (slot_->isolated()) return push_isolated(batch);
    Batch kept;
    ProgramSlot::Runner runner{*slot_};
    std::uint16_t ports[Batch::most_packets];
    while (!batch.empty()) {
        PacketPtr packet = batch.pop_front();
        const RunResult result = runner.run(*packet);
        settle(std::move(packet), result, kept, ports);
    }
    distribute(std::move(kept), ports, DropReason::no_port);
}

void BpfElement::push_isolated(Batch& batch) {
    Batch kept;
    std::array<RunResult, Batch::most_packets> results;
    std::uint16_t ports[Batch::most_packets];
    slot_->run_isolated(batch, results);
    for (std::size_t i = 0; !batch.empty(); ++i) settle(batch.pop_front(), results[i], kept, ports);
    distribute(std::move(kept), ports, DropReason::no_port);
}

}  // namespace unibpf
