#include "guest/control/resources/status.hpp"

#include <algorithm>

#include "guest/bpf/slot.hpp"
#include "guest/control/keys.hpp"
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
    cbor::Items items{writer};
    for (std::size_t i = 0; i < drops.size(); ++i) {
        if (drops[i] == 0) continue;
        items.next().array(2);
        writer.text(drop_reasons[i].name);
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
    cbor::Items items{writer};
    for (const Handler& handler : handlers) {
        if (handler.read == nullptr) continue;
        std::array<char, max_handler_text> buffer;
        Text text{buffer};
        {
            const platform::NoPreempt whole;  // the data path may change what the handler reads
            handler.read(element, text);
        }
        items.next().array(2);
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
    cbor::Fields<ElementKey> fields{writer};
    fields[ElementKey::name].text(element.name());
    fields[ElementKey::class_name].text(element.class_name());
    if (active) {
        fields[ElementKey::kind].uint(static_cast<std::uint64_t>(view.program->kind()));
        fields[ElementKey::program].text(view.program->name());
        fields[ElementKey::sequence].uint(view.active.sequence);
        fields[ElementKey::envelope].bytes(view.active.digest);
        fields[ElementKey::engine].text(view.engine);
    }
    fields[ElementKey::packets].uint(element.packets());
    write_drops(fields[ElementKey::drops], element.drops());
    if (active) write_maps(fields[ElementKey::maps], view.program->maps());
    if (view.staged) write_release(fields[ElementKey::staged], *view.staged);
    if (view.previous) write_release(fields[ElementKey::previous], *view.previous);
    fields[ElementKey::floor].uint(slot.floor());
    fields[ElementKey::isolation].text(slot.isolation());
}

void write_plain_element(cbor::Writer& writer, const Element& element) {
    cbor::Fields<ElementKey> fields{writer};
    fields[ElementKey::name].text(element.name());
    fields[ElementKey::class_name].text(element.class_name());
    fields[ElementKey::packets].uint(element.packets());
    write_drops(fields[ElementKey::drops], element.drops());
    write_handlers(fields[ElementKey::handlers], element);
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
        writer.array(10);
        writer.text(nic.name());
        writer.bytes(nic.mac());
        writer.uint(counters.rx_packets);
        writer.uint(counters.rx_bytes);
        writer.uint(counters.tx_packets);
        writer.uint(counters.tx_bytes);
        writer.uint(counters.rx_dropped());
        writer.uint(counters.tx_dropped());
        writer.uint(counters.rx_no_slot);
        writer.uint(counters.rx_too_long);
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

void write_graph(cbor::Writer& writer, const ControlParts& parts) {
    writer.array(3);
    writer.text(parts.graph.name);
    writer.uint(parts.graph.sequence);
    writer.bytes(parts.graph.digest);
}

}  // namespace

void write_status(cbor::Writer& writer, const ControlParts& parts, const MacKeys& keys, const Steps& boot_steps) {
    cbor::Fields<StatusKey> fields{writer};
    fields[StatusKey::guest].text(parts.boot->guest);
    fields[StatusKey::boot_nonce].bytes(keys.nonce);
    fields[StatusKey::uptime_ns].uint(platform::monotonic_ns() - parts.entry_ns);
    fields[StatusKey::audience].text(parts.boot->audience);
    write_elements(fields[StatusKey::elements], parts);
    write_nics(fields[StatusKey::nics], parts);
    write_memory(fields[StatusKey::memory]);
    write_graph(fields[StatusKey::graph], parts);
    fields[StatusKey::longest_gap_ns].uint(parts.loop->longest_ns());
    write_steps(fields[StatusKey::boot], boot_steps);
    fields[StatusKey::version].text(guest_version);
    fields[StatusKey::platform].text(platform::name());
    fields[StatusKey::recent_gap_ns].uint(parts.loop->longest_since_mark_ns(LoopStats::Window::status));
    const platform::NoPreempt whole;
    parts.loop->mark(LoopStats::Window::status);
}

}  // namespace unibpf
