#include "guest/control/resources/answers.hpp"

#include "guest/core/format.hpp"

namespace unibpf {

namespace {

void write_maps(cbor::Writer& writer, const UpdateReport& report) {
    writer.array(report.maps.size());
    for (const MapOutcome& map : report.maps) {
        writer.array(3);
        writer.text(map.name);
        writer.uint(static_cast<std::uint64_t>(map.decision));
        writer.uint(map.entries);
    }
}

// Keys 0 to 8, which staged and activated share.
void write_update(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace) {
    const std::string_view engine = report.slot->engine();
    writer.uint(0), writer.uint(report.already ? 1 : 0);
    writer.uint(1), writer.text(report.slot->element());
    writer.uint(2), writer.text(report.slot->program());
    writer.uint(3), writer.uint(report.release.sequence);
    writer.uint(4), writer.bytes(report.release.digest);
    writer.uint(5), write_steps(writer, steps);
    writer.uint(6), write_maps(writer, report);
    writer.uint(7), writer.text(engine.empty() ? "interpreter" : engine);
    if (!trace.empty()) writer.uint(8), writer.bytes(trace);
}

}  // namespace

void write_steps(cbor::Writer& writer, const Steps& steps) {
    writer.array(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        writer.array(3);
        writer.text(steps[i].name);
        writer.uint(steps[i].start_ns);
        writer.uint(steps[i].duration_ns);
    }
}

void write_staged(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace) {
    writer.map(trace.empty() ? 8 : 9);
    write_update(writer, report, steps, trace);
}

void write_activated(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace) {
    writer.map(trace.empty() ? 12 : 13);
    write_update(writer, report, steps, trace);
    writer.uint(9), writer.uint(report.swap_ns);
    writer.uint(10), writer.uint(report.longest_gap_ns);
    writer.uint(11), writer.uint(report.packets_during);
    writer.uint(12), writer.uint(report.packets_lost);
}

void write_problem(cbor::Writer& writer, const Error& error, const RuleRow& row) {
    TextBuffer<256> detail;
    if (error.value != 0) detail.text("got `").number(error.value).text("`, ");
    detail.text("expected ").text(row.expected);
    // RFC 8949 4.2.1: keys in the order of their bytes, so negative numbers come before text.
    writer.map(4);
    writer.nint(-1), writer.text(error.text);
    writer.nint(-2), writer.text(detail.view());
    writer.nint(-4), writer.uint(row.code);
    writer.text("urn:unibpf:v1");
    writer.map(row.tells_highest ? 2 : 1);
    writer.uint(0), writer.text(row.rule);
    if (row.tells_highest) writer.uint(1), writer.uint(error.value);
}

}  // namespace unibpf
