#include "guest/elements/basic/switch/switches.hpp"

#include <algorithm>
#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr Handler switch_rows[] = {count_handler, drops_handler, setting_handler<Switch, &Switch::chosen, &Switch::choose>("switch")};
constexpr Handler static_rows[] = {count_handler, drops_handler, read_handler<Switch, &Switch::chosen>("switch")};
constexpr std::span<const DropReason> reasons = reason_list<DropReason::policed>;

// FNV-1a: the same bytes always take the same way, also over a restart.
std::uint32_t hash(std::span<const std::uint8_t> bytes) {
    std::uint32_t value = 0x811c'9dc5;
    for (const std::uint8_t byte : bytes) value = (value ^ byte) * 0x0100'0193;
    return value ^ value >> 16;
}
}  // namespace

constinit const ElementClass Switch::class_row{"Switch", "1/-", "h/h", "[OUTPUT]", "sends packets out of one output", switch_rows, reasons, create_element<Switch>};
constinit const ElementClass StaticSwitch::class_row{"StaticSwitch", "1/-", "h/h", "[OUTPUT]", "sends packets out of one output that stays", static_rows, reasons, create_element<StaticSwitch>};
constinit const ElementClass RoundRobinSwitch::class_row{"RoundRobinSwitch", "1/1-", "h/h", "", "sends packets out of its outputs in turn", handler_rows, {}, create_element<RoundRobinSwitch>};
constinit const ElementClass HashSwitch::class_row{"HashSwitch", "1/1-", "h/h", "OFFSET, LENGTH", "sends packets that look alike out of one output", handler_rows, {}, create_element<HashSwitch>};
constinit const ElementClass RandomSwitch::class_row{"RandomSwitch", "1/1-", "h/h", "", "sends packets out of outputs by chance", handler_rows, {}, create_element<RandomSwitch>};
constinit const ElementClass PaintSwitch::class_row{"PaintSwitch", "1/-", "h/h", "", "sends packets out of the output of their color", handler_rows, reasons, create_element<PaintSwitch>};

void Switch::configure(Args& args) {
    args.optional("OUTPUT", chosen_);
    if (chosen_ >= static_cast<std::int32_t>(outputs())) args.error("got OUTPUT ", static_cast<std::uint32_t>(chosen_), ", expected less than ", outputs());
}

void Switch::push(unsigned, Batch&& batch) {
    if (chosen_ < 0) drop(std::move(batch), DropReason::policed);
    else push_or_drop(static_cast<unsigned>(chosen_), std::move(batch), DropReason::policed);
}

void Switch::take_state(Element& old_element) {
    const auto& old = static_cast<const Switch&>(old_element);
    if (old.configuration() == configuration()) chosen_ = old.chosen_;
}

void RoundRobinSwitch::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    for (std::size_t i = 0; i < batch.size(); ++i) {
        ports[i] = next_;
        if (++next_ == outputs()) next_ = 0;
    }
    distribute(std::move(batch), ports, DropReason::policed);
}

void HashSwitch::configure(Args& args) {
    args.required("OFFSET", offset_);
    args.required("LENGTH", length_);
    if (length_ == 0) args.error("got LENGTH 0, expected at least 1");
}

void HashSwitch::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t i = 0;
    for (const Packet& packet : batch) {
        const std::size_t first = std::min<std::size_t>(offset_, packet.length());
        const auto bytes = packet.bytes().subspan(first, std::min<std::size_t>(length_, packet.length() - first));
        ports[i++] = static_cast<std::uint16_t>(hash(bytes) % outputs());
    }
    distribute(std::move(batch), ports, DropReason::policed);
}

void RandomSwitch::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    for (std::size_t i = 0; i < batch.size(); ++i) ports[i] = static_cast<std::uint16_t>(random::next_u32() % outputs());
    distribute(std::move(batch), ports, DropReason::policed);
}

void PaintSwitch::push(unsigned, Batch&& batch) {
    std::uint16_t ports[Batch::most_packets];
    std::size_t i = 0;
    for (const Packet& packet : batch) ports[i++] = packet.paint;
    distribute(std::move(batch), ports, DropReason::policed);
}

}  // namespace unibpf
