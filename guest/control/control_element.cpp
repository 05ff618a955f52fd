#include "guest/control/control_element.hpp"

namespace unibpf {

namespace {

const ControlContext* context_of(const Element& element) {
    // Sound: these handlers are in the row of this class only.
    return static_cast<const ControlElement&>(element).context();
}

template <std::uint64_t ControlContext::* Counter>
void read_counter(const Element& element, Text& out) {
    const ControlContext* context = context_of(element);
    out.number(context == nullptr ? 0 : context->*Counter);
}

void read_refused(const Element& element, Text& out) {
    const ControlContext* context = context_of(element);
    out.number(context == nullptr ? 0 : context->refused());
}

void put_pair(Text& out, std::string_view name, std::uint64_t count) {
    if (count == 0) return;
    if (!out.view().empty()) out.put(' ');
    out.put(name).put('=').number(count);
}

void read_refusals(const Element& element, Text& out) {
    const ControlContext* context = context_of(element);
    if (context == nullptr) return;
    for (std::size_t i = 0; i < rule_table.size(); ++i) put_pair(out, rule_table[i].key, context->refusals[i]);
}

void read_frames(const Element& element, Text& out) {
    const ControlContext* context = context_of(element);
    if (context == nullptr) return;
    for (std::size_t i = 0; i < net::frame_kind_count; ++i) {
        put_pair(out, net::frame_kind_name(static_cast<net::FrameKind>(i)), context->frames[i]);
    }
}

constexpr Handler handlers[] = {
    {"requests", read_counter<&ControlContext::requests>},
    {"duplicates", read_counter<&ControlContext::duplicates>},
    {"malformed", read_counter<&ControlContext::malformed>},
    {"strangers_dropped", read_counter<&ControlContext::strangers_dropped>},
    {"stagings", read_counter<&ControlContext::stagings>},
    {"activations", read_counter<&ControlContext::activations>},
    {"rollbacks", read_counter<&ControlContext::rollbacks>},
    {"refused", read_refused},
    {"refusals", read_refusals},
    {"frames", read_frames},
};

}  // namespace

void ControlElement::initialize(Environment& environment, Errors&) { context_ = environment.control; }

const ElementClass control_element_class{
    "Control",
    "0/0",
    "a/a",
    "",
    "shows the control channel on the management NIC",
    handlers,
    {},
    create_element<ControlElement>,
};

}  // namespace unibpf
