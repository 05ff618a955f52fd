#include "guest/control/resources/answers.hpp"

#include "guest/control/keys.hpp"
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

using UpdateFields = cbor::Fields<UpdateKey>;

// What staged and activated share.
void write_update(UpdateFields& fields, const UpdateReport& report, const Steps& steps, Bytes trace) {
    const std::string_view engine = report.slot->engine();
    fields[UpdateKey::already].uint(report.already ? 1 : 0);
    fields[UpdateKey::element].text(report.slot->element());
    fields[UpdateKey::program].text(report.slot->program());
    fields[UpdateKey::sequence].uint(report.release.sequence);
    fields[UpdateKey::envelope].bytes(report.release.digest);
    write_steps(fields[UpdateKey::steps], steps);
    write_maps(fields[UpdateKey::maps], report);
    fields[UpdateKey::engine].text(engine.empty() ? "interpreter" : engine);
    if (!trace.empty()) fields[UpdateKey::trace].bytes(trace);
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
    UpdateFields fields{writer};
    write_update(fields, report, steps, trace);
}

void write_activated(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace) {
    UpdateFields fields{writer};
    write_update(fields, report, steps, trace);
    fields[UpdateKey::swap_ns].uint(report.swap_ns);
    fields[UpdateKey::longest_gap_ns].uint(report.longest_gap_ns);
    fields[UpdateKey::packets_during].uint(report.packets_during);
    fields[UpdateKey::packets_lost].uint(report.packets_lost);
    if (!report.engine_before.empty()) fields[UpdateKey::engine_before].text(report.engine_before);
}

void write_problem(cbor::Writer& writer, const Error& error, const RuleRow& row) {
    TextBuffer<256> detail;
    if (error.value != 0) detail.text("got `").number(error.value).text("`, ");
    detail.text("expected ").text(row.expected);
    cbor::Fields<ProblemKey> fields{writer};
    fields[ProblemKey::title].text(error.text);
    fields[ProblemKey::detail].text(detail.view());
    fields[ProblemKey::response_code].uint(row.code);
    cbor::Fields<RefusalKey> ours{fields["urn:unibpf:v1"]};
    ours[RefusalKey::rule].text(row.rule);
    if (row.tells_highest) ours[RefusalKey::highest].uint(error.value);
}

}  // namespace unibpf
