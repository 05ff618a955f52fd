#include "guest/control/resources/status.hpp"

#include <algorithm>

#include "guest/bpf/slot.hpp"
#include "guest/control/resources/answers.hpp"
#include "guest/core/heap.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/graph/router.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

constexpr std::string_view guest_version = "0.1.0";
constexpr std::size_t max_handler_text = 512;

void write_release(cbor::Writer& writer, const ReleaseMeta& meta) {
    writer.array(2);
    writer.uint(meta.sequence);
    writer.bytes(meta.digest);
}

void write_drops(cbor::Writer& writer, const DropCounters& drops) {
    writer.array(static_cast<std::uint64_t>(std::count_if(drops.begin(), drops.end(), [](auto n) { return n != 0; })));
    for (std::size_t i = 0; i < drops.size(); ++i) {
        if (drops[i] == 0) continue;
        writer.array(2);
        writer.text(kDropReasons[i].name);
        writer.uint(drops[i]);
    }
}

void write_maps(cbor::Writer& writer, std::span<const MapRef> maps) {
    writer.array(maps.size());
    for (const MapRef& map : maps) {
        writer.array(6);
        writer.text(map->name());
        writer.uint(map->type());
        writer.uint(map->key_size());
        writer.uint(map->value_size());
        writer.uint(map->max_entries());
        writer.uint(map->entries());
    }
}

void write_handlers(cbor::Writer& writer, const Element& element) {
    const auto handlers = element.element_class().handlers;
    writer.array(static_cast<std::uint64_t>(
        std::count_if(handlers.begin(), handlers.end(), [](const Handler& handler) { return handler.read != nullptr; })));
    for (const Handler& handler : handlers) {
        if (handler.read == nullptr) continue;
        std::array<char, max_handler_text> buffer;
        Text text{buffer};
        {
            const platform::NoPreempt whole;  // the data path may change what the handler reads
            handler.read(element, text);
        }
        writer.array(2);
        writer.text(handler.name);
        writer.text(text.view());
    }
}

// What a slot holds at one instant; the programs themselves live on until the control stack collects them.
struct SlotView {
    const Program* program = nullptr;
    ReleaseMeta active;
    std::optional<ReleaseMeta> staged;
    std::optional<ReleaseMeta> previous;
    std::string_view engine;
};

SlotView view_of(const ProgramSlot& slot) {
    const platform::NoPreempt whole;
    SlotView view;
    view.program = slot.active_program();
    if (slot.active() != nullptr) view.active = *slot.active();
    if (slot.staged() != nullptr) view.staged = *slot.staged();
    if (slot.previous() != nullptr) view.previous = *slot.previous();
    view.engine = slot.engine();
    return view;
}

void write_bpf_element(cbor::Writer& writer, const Element& element, const ProgramSlot& slot) {
    const SlotView view = view_of(slot);
    const bool active = view.program != nullptr;
    writer.map(6 + (active ? 6 : 0) + (view.staged ? 1 : 0) + (view.previous ? 1 : 0));
    writer.uint(0), writer.text(element.name());
    writer.uint(1), writer.text(element.class_name());
    if (active) {
        writer.uint(2), writer.uint(static_cast<std::uint64_t>(view.program->kind()));
        writer.uint(3), writer.text(view.program->name());
        writer.uint(4), writer.uint(view.active.sequence);
        writer.uint(5), writer.bytes(view.active.digest);
        writer.uint(6), writer.text(view.engine);
    }
    writer.uint(7), writer.uint(element.packets());
    writer.uint(8), write_drops(writer, element.drops());
    if (active) writer.uint(9), write_maps(writer, view.program->maps());
    if (view.staged) writer.uint(10), write_release(writer, *view.staged);
    if (view.previous) writer.uint(11), write_release(writer, *view.previous);
    writer.uint(12), writer.uint(slot.floor());
    writer.uint(14), writer.text(slot.isolation());
}

void write_plain_element(cbor::Writer& writer, const Element& element) {
    writer.map(5);
    writer.uint(0), writer.text(element.name());
    writer.uint(1), writer.text(element.class_name());
    writer.uint(7), writer.uint(element.packets());
    writer.uint(8), write_drops(writer, element.drops());
    writer.uint(13), write_handlers(writer, element);
}

void write_elements(cbor::Writer& writer, const ControlParts& parts) {
    const auto elements = parts.router->elements();
    writer.array(elements.size());
    for (const Element* element : elements) {
        const ProgramSlot* slot = parts.slots->find(element->name());
        if (slot != nullptr) {
            write_bpf_element(writer, *element, *slot);
        } else {
            write_plain_element(writer, *element);
        }
    }
}

void write_nics(cbor::Writer& writer, const ControlParts& parts) {
    writer.array(parts.nic_count);
    for (std::uint32_t i = 0; i < parts.nic_count; ++i) {
        const Nic& nic = *parts.nics[i];
        const NicCounters& counters = nic.counters();
        writer.array(8);
        writer.text(nic.name());
        writer.bytes(nic.mac());
        writer.uint(counters.rx_packets);
        writer.uint(counters.rx_bytes);
        writer.uint(counters.tx_packets);
        writer.uint(counters.tx_bytes);
        writer.uint(counters.rx_dropped());
        writer.uint(counters.tx_dropped());
    }
}

// What is not free: regions handed out by the platform, less what the heap still has.
void write_memory(cbor::Writer& writer) {
    const Heap& heap = Heap::system();
    const std::uint64_t regions = platform::memory_total() - platform::region_available();
    writer.array(3);
    writer.uint(platform::memory_total());
    writer.uint(regions - (heap.total() - heap.used()));
    writer.uint(regions - (heap.total() - heap.peak()));
}

}  // namespace

void write_status(cbor::Writer& writer, const ControlParts& parts, const MacKeys& keys, const Steps& boot_steps) {
    writer.map(13);
    writer.uint(0), writer.text(parts.boot->guest);
    writer.uint(1), writer.bytes(keys.nonce);
    writer.uint(2), writer.uint(platform::monotonic_ns() - parts.entry_ns);
    writer.uint(3), writer.text(parts.boot->audience);
    writer.uint(4), write_elements(writer, parts);
    writer.uint(5), write_nics(writer, parts);
    writer.uint(6), write_memory(writer);
    writer.uint(7), writer.array(3);
    writer.text(parts.graph.name);
    writer.uint(parts.graph.sequence);
    writer.bytes(parts.graph.digest);
    writer.uint(8), writer.uint(parts.loop->longest_ns());
    writer.uint(9), write_steps(writer, boot_steps);
    writer.uint(10), writer.text(guest_version);
    writer.uint(11), writer.text(platform::name());
    writer.uint(12), writer.uint(parts.loop->longest_since_mark_ns(LoopStats::Window::status));
    const platform::NoPreempt whole;
    parts.loop->mark(LoopStats::Window::status);
}

}  // namespace unibpf
