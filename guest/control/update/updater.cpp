#include "guest/control/update/updater.hpp"

#include <algorithm>

#include "guest/drivers/nic.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

std::optional<Installed> installed(const ReleaseMeta* meta) {
    if (meta == nullptr) return std::nullopt;
    return Installed{meta->sequence, meta->digest, meta->keyed};
}

bool same(const Digest& digest, Bytes bytes) { return std::equal(digest.begin(), digest.end(), bytes.begin(), bytes.end()); }

}  // namespace

Status Updater::prepare() {
    scratch_ = make_array<std::uint8_t>(max_envelope);
    baselines_ = make_array<Baseline>(std::max<std::size_t>(parts_.slots->slots().size(), 1));
    judgement_ = make<Judgement>();
    stage_report_ = make<StageReport>();
    if (!scratch_ || !baselines_ || !judgement_ || !stage_report_) {
        return Error{"memory", "there is no memory for the control channel"};
    }
    return done();
}

Target Updater::target_of(std::string_view element) const {
    Target target;
    target.element = element;
    const ProgramSlot* slot = find(element);
    if (slot == nullptr) return target;
    const platform::NoPreempt whole;
    target.exists = true;
    target.kind = static_cast<ReleaseKind>(slot->kind());
    target.program = slot->program();
    target.floor = slot->floor();
    target.active = installed(slot->active());
    target.staged = installed(slot->staged());
    return target;
}

Status Updater::stage(const StageRequest& request, Steps& steps, UpdateReport& report) {
    const BootImage& boot = *parts_.boot;
    const Trust trust{{boot.keys.begin(), boot.keys.size()}, boot.audience, request.now_s};
    Target target = target_of(request.element);
    target.keyed = request.keyed;
    TRY(judge(request.message, trust, target, scratch_.span(), steps, *judgement_));
    ProgramSlot& slot = *find(request.element);
    report.slot = &slot;
    report.release = Installed{judgement_->release.sequence, judgement_->digest};
    report.already = judgement_->standing != Standing::fresh;
    if (judgement_->standing == Standing::already_staged && request.keyed) slot.staged_is_keyed();
    if (report.already) return done();
    TRY(load(slot, *judgement_, request.keyed, steps, report));
    ++parts_.context->stagings;
    return done();
}

Status Updater::load(ProgramSlot& slot, const Judgement& judgement, bool keyed, Steps& steps, UpdateReport& report) {
    begin_measuring(slot);
    const Release& release = judgement.release;
    const MapPlan plan{{release.map_policies.begin(), release.map_policies.size()}};
    const std::uint64_t origin = steps.origin_ns();
    StageReport& staged = *stage_report_;
    staged = StageReport{};
    TRY(slot.stage(judgement.bundle, plan, ReleaseMeta{release.sequence, judgement.digest, keyed, release.probation}, staged));
    steps.add({"decode", staged.decode_start_ns - origin, staged.decode_ns});
    steps.add({"maps", staged.maps_start_ns - origin, staged.maps_ns});
    steps.add({"load", staged.load_start_ns - origin, staged.load_ns});
    report.maps = {};
    for (std::size_t i = 0; i < staged.map_count; ++i) report.maps.push(staged.maps[i]);
    baseline(slot).maps = report.maps;
    return done();
}

Status Updater::activate(ProgramSlot& slot, Bytes digest, Steps& steps, UpdateReport& report) {
    report.slot = &slot;
    const Target target = target_of(slot.element());
    if (target.active.has_value() && same(target.active->digest, digest)) {
        report.already = true;
        report.release = *target.active;
        return done();
    }
    if (!target.staged.has_value() || !same(target.staged->digest, digest)) {
        return Error{"nothing-staged", "the program of that envelope is not staged"};
    }
    report.already = false;
    report.release = *target.staged;
    report.maps = baseline(slot).maps;
    TRY(swap(slot, Swap::activate, steps, report));
    ++parts_.context->activations;
    return done();
}

Status Updater::roll_back(ProgramSlot& slot, Steps& steps, UpdateReport& report) {
    report.slot = &slot;
    begin_measuring(slot);
    TRY(swap(slot, Swap::rollback, steps, report));
    report.release = target_of(slot.element()).active.value_or(Installed{});
    ++parts_.context->rollbacks;
    return done();
}

Status Updater::swap(ProgramSlot& slot, Swap what, Steps& steps, UpdateReport& report) {
    Swapper::Times times;
    report.engine_before = slot.active() == nullptr ? std::string_view{} : slot.engine();
    steps.end();
    TRY(swapper_.swap(slot, what, times));
    steps.add({"swap", times.start_ns - steps.origin_ns(), times.duration_ns});
    const Baseline& before = baseline(slot);
    const platform::NoPreempt whole;
    report.swap_ns = times.duration_ns;
    report.longest_gap_ns = parts_.loop->longest_since_mark_ns(LoopStats::Window::update);
    report.packets_during = slot.counters().packets - before.packets;
    report.packets_lost = lost(slot) - before.lost;
    return done();
}

Status Updater::boot(const BootProgram& program, std::uint64_t now_s) {
    const BootImage& boot = *parts_.boot;
    const Trust trust{{boot.keys.begin(), boot.keys.size()}, boot.audience, now_s};
    Target target = target_of(program.element);
    target.floor = boot_floor(boot, program.element);
    Steps untimed;
    TRY(judge(SignedBundle{program.envelope, program.bundle}, trust, target, scratch_.span(), untimed, *judgement_));
    ProgramSlot& slot = *find(program.element);
    UpdateReport report;
    TRY(load(slot, *judgement_, true, untimed, report));
    return swap(slot, Swap::activate, untimed, report);
}

void Updater::collect() {
    for (ProgramSlot* slot : parts_.slots->slots()) {
        if (!slot->has_retired()) continue;
        platform::control_yield();  // the answer first
        slot->collect();
    }
}

void Updater::begin_measuring(const ProgramSlot& slot) {
    Baseline& now = baseline(slot);
    const platform::NoPreempt whole;
    now.packets = slot.counters().packets;
    now.lost = lost(slot);
    parts_.loop->mark(LoopStats::Window::update);
}

Updater::Baseline& Updater::baseline(const ProgramSlot& slot) {
    const auto slots = parts_.slots->slots();
    const auto at = std::find(slots.begin(), slots.end(), &slot);
    return baselines_[static_cast<std::size_t>(at - slots.begin())];
}

std::uint64_t Updater::lost(const ProgramSlot& slot) const {
    std::uint64_t total = slot.counters().no_program;
    for (std::uint32_t i = 0; i < parts_.nic_count; ++i) {
        const NicCounters& counters = parts_.nics[i]->counters();
        total += counters.rx_no_slot + counters.rx_dropped();
    }
    return total;
}

}  // namespace unibpf
