#include "guest/run/report.hpp"

#include <cstdio>
#include <vector>

#include "guest/bpf/maps/map_ring.hpp"

namespace unibpf::run {
namespace {

struct Entry {
    std::string key, value;
};

// What waits in a ring, with empty keys, as on the control channel.
std::vector<Entry> records_of(const RingMap& ring) {
    std::vector<Entry> records;
    for (std::uint64_t position = ring.consumed(); position < ring.produced();) {
        const RingMap::Step step = ring.read(position);
        if (step.found) records.push_back({"", hex(step.record.data(), step.record.size())});
        position = step.next;
    }
    return records;
}

std::vector<Entry> entries_of(const Map& map) {
    if (map.holds() == abi::Holds::records || map.holds() == abi::Holds::events) return records_of(static_cast<const RingMap&>(map));
    std::vector<Entry> entries;
    std::vector<std::uint8_t> key(map.key_size()), value(map.value_size());
    std::uint32_t cursor = 0;
    do {
        const ScanStep step = map.scan(cursor, key.data(), value.data());
        if (step.found) entries.push_back({hex(key.data(), key.size()), hex(value.data(), value.size())});
        cursor = step.next;
    } while (cursor != 0);
    return entries;
}

std::string quoted(std::string_view text) { return '"' + std::string{text} + '"'; }  // names hold nothing to escape

std::string_view stop_name(Stop stop) {
    return stop == Stop::budget ? "budget" : "fault";
}

std::string trap_json(const RunReport& report) {
    if (report.stop == Stop::exit) return "null";
    return "{\"kind\":" + quoted(stop_name(report.stop)) + ",\"text\":" + quoted(report.trap.text) +
           ",\"instruction\":" + std::to_string(report.trap.instruction) + ",\"address\":" + std::to_string(report.trap.address) + "}";
}

std::string maps_text(const Program& program) {
    std::string text;
    for (const MapRef& map : program.maps()) {
        text += "map " + std::string{map->name()} + "\n";
        for (const Entry& entry : entries_of(*map)) text += "  " + entry.key + " " + entry.value + "\n";
    }
    return text;
}

}  // namespace

std::string hex(const std::uint8_t* bytes, std::size_t size) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < size; ++i) {
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

std::string verdict_name(const Program& program, const RunReport& report) {
    const auto code = static_cast<std::uint32_t>(report.code);
    if (report.stop != Stop::exit) return "trap";
    if (abi::describe(program.kind()).returns_port) return "port " + std::to_string(code);
    return code < abi::xdp_action_names.size() ? std::string{abi::xdp_action_names[code]} : "unknown";
}

std::string maps_json(const Program& program) {
    std::string text = "{";
    for (const MapRef& map : program.maps()) {
        if (text.size() > 1) text += ',';
        text += quoted(map->name()) + ":{\"type\":" + quoted(abi::find_map_type(map->type())->name) + ",\"entries\":[";
        bool first = true;
        for (const Entry& entry : entries_of(*map)) {
            text += std::string(first ? "" : ",") + "{\"key\":" + quoted(entry.key) + ",\"value\":" + quoted(entry.value) + "}";
            first = false;
        }
        text += "]}";
    }
    return text + "}";
}

std::string report_json(const Program& program, const RunReport& report, bool with_maps) {
    char ns[32];
    std::snprintf(ns, sizeof ns, "%.1f", report.ns);
    return "{\"verdict\":" + quoted(verdict_name(program, report)) + ",\"verdict_code\":" + std::to_string(report.code) +
           ",\"redirect_port\":" + (report.redirect_port == no_port ? "null" : std::to_string(report.redirect_port)) +
           ",\"packet\":" + quoted(report.packet) + ",\"instructions\":" + std::to_string(report.instructions) + ",\"ns\":" + ns +
           ",\"engine\":" + quoted(program.native() ? "jit" : "interpreter") +
           ",\"trap\":" + trap_json(report) + (with_maps ? ",\"maps\":" + maps_json(program) : "") + "}\n";
}

std::string report_text(const Program& program, const RunReport& report, bool with_maps) {
    std::string text = verdict_name(program, report);
    if (report.redirect_port != no_port) text += " to port " + std::to_string(report.redirect_port);
    text += " (r0 = " + std::to_string(report.code) + "), " + std::to_string(report.instructions) + " instructions, " +
            std::to_string(static_cast<std::uint64_t>(report.ns)) + " ns\n";
    if (report.stop != Stop::exit) {
        text += "stopped at instruction " + std::to_string(report.trap.instruction) + ": " + report.trap.text + "\n";
    }
    text += "packet " + report.packet + "\n";
    return with_maps ? text + maps_text(program) : text;
}

bool leaves(const Program& program, const RunReport& report) {
    if (report.stop != Stop::exit) return false;
    if (abi::describe(program.kind()).returns_port) return true;
    return report.code == abi::xdp_pass || report.code == abi::xdp_tx || report.code == abi::xdp_redirect;
}

}  // namespace unibpf::run
