#include "services/verifier/native/report/report.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "services/verifier/native/graph/cfg.hpp"
#include "services/verifier/native/fixpoint/fixpoint.hpp"
#include "services/verifier/native/report/drawing.hpp"
#include "services/verifier/native/explain/slice.hpp"
#include "services/verifier/native/fixpoint/termination.hpp"
#include "services/verifier/native/graph/wto.hpp"

namespace unibpf::analyser {
namespace {

// Most programs need neither partitioning nor long unrolling; one that is refused gets closer looks.
constexpr Precision precisions[] = {{}, {8, 256, 24, true, 150'000}, {1, 2048, 1024, true, 150'000}, {8, 2048, 256, true, 200'000}, {64, 256, 24, true, 200'000}};

// Who reads the report takes no more than 8 MiB.
constexpr std::size_t most_invariant_bytes = 4 << 20;

// What the signer takes at most; a program whose proof is longer is not signed.
constexpr std::size_t most_certificate_bytes = 4 << 20;

// What no closer look can change: it depends on the instruction alone.
bool is_final(const Finding& finding) {
    switch (finding.rule) {
        case Rule::helper_unknown:
        case Rule::helper_option:
        case Rule::helper_kind:
        case Rule::frame_pointer:
        case Rule::malformed:
        case Rule::unsupported: return true;
        default: return false;
    }
}

// JSON text (RFC 8259 7); names are UTF-8 already, the decoder saw to that.
std::string quoted(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\', out += c;
        else if (byte < 0x20) out += "\\u00", out += digits[byte >> 4], out += digits[byte & 15];
        else out += c;
    }
    return out + "\"";
}

// RFC 4648 4.
std::string base64(const std::vector<std::uint8_t>& bytes) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (at + i < bytes.size() ? bytes[at + i] : 0U);
        for (unsigned i = 0; i < 4; ++i) out += at + i > bytes.size() ? '=' : letters[group >> (18 - 6 * i) & 63];
    }
    return out;
}

template <typename Items, typename F>
std::string list(const Items& items, F&& print) {
    std::string out = "[";
    for (const auto& item : items) out += (out.size() > 1 ? "," : "") + print(item);
    return out + "]";
}

std::string number_or_null(const std::optional<std::uint64_t>& number) { return number ? std::to_string(*number) : "null"; }

std::string step_json(const SliceStep& step) {
    const std::string taken = step.taken ? *step.taken ? "true" : "false" : "null";
    return "{\"instruction\":" + std::to_string(step.instruction) + ",\"text\":" + quoted(step.text) + ",\"taken\":" + taken + "}";
}

std::string finding_json(const Finding& finding) {
    const RuleRow& row = describe(finding.rule);
    return "{\"rule\":" + quoted(row.id) + ",\"instruction\":" + std::to_string(finding.instruction) + ",\"message\":" + quoted(finding.message) +
           ",\"known\":" + list(finding.known, [](const std::string& text) { return quoted(text); }) +
           ",\"slice\":" + list(finding.slice, step_json) + ",\"hint\":" + quoted(finding.hint.empty() ? row.hint : std::string_view{finding.hint}) + "}";
}

// Of this process image: getrusage would count what the parent had resident when it forked.
long peak_kib() {
    static constexpr std::string_view label = "VmHWM:";
    char text[2048] = {};
    std::FILE* file = std::fopen("/proc/self/status", "r");
    if (file == nullptr) return 0;
    const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    const std::string_view status{text, size};
    const auto at = status.find(label);
    return at == std::string_view::npos ? 0 : std::strtol(text + at + label.size(), nullptr, 10);
}

Verdict verdict_of(const std::vector<Finding>& findings) {
    if (findings.empty()) return Verdict::safe;
    const auto is = [](Rule rule) { return [rule](const Finding& finding) { return finding.rule == rule; }; };
    if (std::all_of(findings.begin(), findings.end(), [](const Finding& finding) { return describe(finding.rule).is_about_the_platform; })) return Verdict::unsupported;
    if (std::all_of(findings.begin(), findings.end(), is(Rule::limits))) return Verdict::gave_up;
    return Verdict::unsafe;
}

void describe_program(const Program& program, Report& report) {
    report.instructions = program.insns.size();
    for (const Map& map : program.maps) report.maps.push_back(map.name);
    for (const Insn& insn : program.insns) {
        if (const auto* call = std::get_if<CallHelper>(&insn)) report.helpers.insert(call->number);
    }
}

std::string invariant_json(const Invariants& invariants, std::size_t at) {
    std::string registers;
    for (unsigned reg = 0; reg < register_count; ++reg) {
        const std::string text = describe(invariants.before(at)[reg]);
        if (!text.empty()) registers += (registers.empty() ? "" : ",") + quoted("r" + std::to_string(reg) + " = " + text);
    }
    return "{\"instruction\":" + std::to_string(at) + ",\"known\":[" + registers + "]}";
}

std::string invariants_json(const Invariants& invariants) {
    std::string out;
    std::size_t at = 0;
    for (; at < invariants.size() && out.size() < most_invariant_bytes; ++at) {
        if (invariants.before(at)[frame_register].reached) out += (out.empty() ? "" : ",") + invariant_json(invariants, at);
    }
    return ",\"invariants\":[" + out + "],\"invariants_cut\":" + (at < invariants.size() ? "true" : "false");
}

// A block that is inlined at several call sites is one loop of the source.
void collect_loops(const Analysis& analysis, const Cfg& cfg, Report& report) {
    std::map<std::uint32_t, std::optional<std::uint64_t>> loops;
    for (const auto& [head, bound] : analysis.loop_bounds) {
        const auto [place, is_new] = loops.try_emplace(cfg.blocks[head].first, bound);
        if (is_new) continue;
        if (!bound || !place->second) place->second = std::nullopt;
        else place->second = std::max(*place->second, *bound);
    }
    for (const auto& [instruction, bound] : loops) report.loops.push_back({instruction, bound});
}

void add_slices(const Program& program, const Cfg& cfg, std::vector<Finding>& findings) {
    if (findings.empty()) return;
    const Slicer slicer{program, cfg};
    for (Finding& finding : findings) finding.slice = slicer.slice(finding.roots);
}

void run_analysis(const Program& program, const Options& options, Report& report) {
    Recorder recorder;
    const bool certifies = options.certificate && options.platform == Platform::guest;
    const Records records{report.invariants ? &*report.invariants : nullptr, certifies ? &recorder : nullptr};
    auto built = build_cfg(program, options);
    if (auto* fault = std::get_if<Finding>(&built)) {
        report.findings.push_back(std::move(*fault));
        return;
    }
    const Cfg& cfg = std::get<Cfg>(built);
    const Wto wto = build_wto(cfg);
    Analysis analysis = analyse(program, options, cfg, wto, precisions[0], records);
    for (std::size_t i = 1; i < std::size(precisions) && !std::all_of(analysis.findings.begin(), analysis.findings.end(), is_final); ++i) {
        try {
            analysis = analyse(program, options, cfg, wto, precisions[i], records);
        } catch (const GaveUp&) {
            continue;  // what is known already stands
        }
    }
    if (options.graph) report.graph = draw(program, cfg, wto, analysis, records.invariants);
    report.findings = std::move(analysis.findings);
    add_slices(program, cfg, report.findings);
    report.stack_bytes = analysis.stack_bytes;
    collect_loops(analysis, cfg, report);
    const Expense expense = expense_of(program, options, cfg, wto, analysis);
    report.instruction_bound = expense.instructions;
    const bool dear = !expense.instructions || *expense.instructions > options.budget;
    if (report.findings.empty() && dear && options.platform == Platform::guest && options.termination) report.findings.push_back(over_budget(expense, options));
    if (certifies && report.findings.empty()) report.certificate = encode(recorder, cfg, most_certificate_bytes);
}

}  // namespace

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::safe: return "safe";
        case Verdict::unsafe: return "unsafe";
        case Verdict::unsupported: return "unsupported";
        case Verdict::gave_up: return "gave_up";
    }
    __builtin_unreachable();
}

Report refuse(Verdict verdict, Finding finding) {
    Report report;
    report.verdict = verdict;
    report.findings.push_back(std::move(finding));
    return report;
}

Report examine(const Program& program, const Options& options) {
    Report report;
    describe_program(program, report);
    if (options.invariants) report.invariants.emplace(program.insns.size());
    try {
        run_analysis(program, options, report);
        std::sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) { return a.instruction < b.instruction; });
        report.verdict = verdict_of(report.findings);
    } catch (const GaveUp& reason) {
        report.findings = {Finding{Rule::limits, reason.what()}};
        report.verdict = Verdict::gave_up;
    }
    return report;
}

Report examine(std::span<const std::uint8_t> bundle, const Options& options) {
    const auto read = read_bundle(bundle, options.platform);
    if (const auto* program = std::get_if<Program>(&read)) {
        Report report = examine(*program, options);
        // A verdict over something that no guest loads would be worth nothing.
        const auto objection = report.verdict == Verdict::safe && options.platform == Platform::guest ? loader_objects(bundle) : std::nullopt;
        if (!objection) return report;
        report.verdict = Verdict::unsupported;
        report.findings = {{Rule::malformed, objection->message}};
        return report;
    }
    const Malformed& fault = std::get<Malformed>(read);
    return refuse(Verdict::unsupported, {Rule::malformed, fault.message, {}, {}, static_cast<std::uint32_t>(fault.instruction)});
}

std::string to_json(const Report& report) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const double cpu_ms = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 + static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    std::string out = "{\"verdict\":" + quoted(name_of(report.verdict));
    out += ",\"findings\":" + list(report.findings, finding_json);
    out += ",\"stack_bytes\":" + std::to_string(report.stack_bytes);
    out += ",\"instruction_bound\":" + number_or_null(report.instruction_bound);
    out += ",\"loops\":" + list(report.loops, [](const LoopFact& loop) { return "{\"instruction\":" + std::to_string(loop.instruction) + ",\"bound\":" + number_or_null(loop.bound) + "}"; });
    out += ",\"instructions\":" + std::to_string(report.instructions);
    out += ",\"helpers\":" + list(report.helpers, [](std::uint32_t number) { return std::to_string(number); });
    out += ",\"maps\":" + list(report.maps, [](const std::string& name) { return quoted(name); });
    out += ",\"cpu_ms\":" + std::to_string(cpu_ms) + ",\"peak_kib\":" + std::to_string(peak_kib());
    if (report.invariants) out += invariants_json(*report.invariants);
    if (report.certificate) out += ",\"certificate\":\"" + base64(*report.certificate) + "\"";
    if (!report.graph.empty()) out += ",\"graph\":" + quoted(report.graph);
    return out + ",\"version\":" + quoted(analyser_version) + "}";
}

}  // namespace unibpf::analyser
