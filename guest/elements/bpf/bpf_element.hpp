// BpfElement: what BPFFilter, BPFClassifier and BPFRewriter share: a ProgramSlot that Control fills, and what becomes of a
// packet after its program ran. Until a valid program is active the element fails closed: it drops and counts.
#pragma once

#include "guest/bpf/slot.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

class BpfElement : public Element {
  public:
    ~BpfElement() override;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void reset() { reset_counters(); }

    static void read_program(const Element& element, Text& out);
    static void read_engine(const Element& element, Text& out);
    static void read_isolation(const Element& element, Text& out);

  protected:
    explicit BpfElement(abi::Kind kind) : kind_{kind} {}
    // How many outputs a program may name; unless told otherwise those of PASS, DROP and TX, and what is connected.
    void set_program_outputs(std::uint32_t count) { program_outputs_ = count; }

  private:
    // Where a packet goes: out of `port`, or dropped for `reason`.
    struct Fate {
        bool dropped;
        DropReason reason;
        std::uint16_t port;
    };
    Fate fate(const RunResult& result) const;
    Fate fate_of_action(const RunResult& result) const;
    Fate leave_by(std::uint32_t port, DropReason otherwise) const;
    void push_isolated(Batch& batch);
    void settle(PacketPtr packet, const RunResult& result, Batch& kept, std::uint16_t* ports);

    static constexpr unsigned action_ports = 3;  // PASS 0, DROP 1, TX 2: a program may name these though nothing is connected

    abi::Kind kind_;
    EngineOption engine_ = EngineOption::automatic;
    IsolationOption isolation_ = IsolationOption::automatic;
    std::string_view program_;
    std::uint32_t program_outputs_ = 0;
    Owned<ProgramSlot> slot_;
    SlotRegistry* slots_ = nullptr;
};

// Of those whose program returns an XDP action.
inline constexpr std::span<const DropReason> action_reasons =
    reason_list<DropReason::no_program, DropReason::aborted, DropReason::unknown_code, DropReason::budget, DropReason::no_port,
                DropReason::by_program>;

inline constexpr Handler bpf_handlers[] = {
    count_handler,
    drops_handler,
    {"program", BpfElement::read_program, nullptr},
    {"engine", BpfElement::read_engine, nullptr},
    {"isolation", BpfElement::read_isolation, nullptr},
    reset_handler<BpfElement>,
};

}  // namespace unibpf
