#include "guest/bpf/program.hpp"

#include <algorithm>
#include <cstring>

#include "guest/bpf/bundle/cost.hpp"
#include "guest/bpf/helpers/helpers.hpp"
#include "guest/bpf/maps/map_array.hpp"

namespace unibpf {
namespace {

const MapPolicyEntry* entry_for(const MapPlan& plan, std::string_view name) {
    for (const MapPolicyEntry& entry : plan.entries) {
        if (entry.map == name) return &entry;
    }
    return nullptr;
}

// Of the bundle's maps, and of those that maps of maps hold.
struct MapShapes {
    std::array<abi::cost::MapShape, 2 * abi::max_maps> shapes;
    std::size_t count = 0;
    const abi::cost::MapShape* begin() const { return shapes.data(); }
    const abi::cost::MapShape* end() const { return shapes.data() + count; }
};
MapShapes map_shapes(const BundleView& bundle) {
    MapShapes found;
    for (std::size_t i = 0; i < bundle.map_count; ++i) {
        const BundleMap& map = bundle.maps[i];
        found.shapes[found.count++] = {bundle.tables->find_map_type(map.type), map.key_size, map.value_size};
        if (map.has_inner) found.shapes[found.count++] = {bundle.tables->find_map_type(map.inner.type), map.inner.key_size, map.inner.value_size};
    }
    return found;
}

void set_imm64(Instruction* in, std::uint64_t value) {
    in[0].imm = static_cast<std::int32_t>(value);
    in[1].imm = static_cast<std::int32_t>(value >> 32);
}

}  // namespace

Map* Program::find_map(std::string_view name) const {
    for (const MapRef& map : maps()) {
        if (map->name() == name) return map.get();
    }
    return nullptr;
}

Status Loader::build_maps(const MapPlan& plan, const Program* running, MapReport& report) {
    program_ = make<Program>();
    if (!program_) return Error{"memory", "the heap has no room for a program"};
    report.count = 0;
    for (const MapPolicyEntry& entry : plan.entries) {
        const auto named = [&](const BundleMap& map) { return map.name == entry.map; };
        const auto* end = bundle_.maps.begin() + bundle_.map_count;
        if (std::find_if(bundle_.maps.begin(), end, named) == end) return Error{"map-policy", "the policy names a map that the bundle lacks"};
    }
    for (std::size_t i = 0; i < bundle_.map_count; ++i) {
        TRY(build_map(i, plan, running, report.maps[i]));
        report.count = i + 1;
    }
    return fill_maps();
}

Result<MapRef> Loader::create_map(const BundleMap& spec) const {
    const bool constant = (spec.flags & abi::map_flag_rdonly_prog) != 0 || abi::find_map_type(spec.type)->holds == abi::Holds::programs;
    return Map::create(spec, constant ? platform::PageKey::guest : key_);
}

// Read-only data, functions and maps in maps belong to the program's text, not to its state: they always come from the new bundle.
// The maps inside a map of maps are maps of the bundle, kept or made like all others.
Status Loader::build_map(std::size_t index, const MapPlan& plan, const Program* running, MapOutcome& outcome) {
    const BundleMap& spec = bundle_.maps[index];
    const MapPolicyEntry* entry = entry_for(plan, spec.name);
    const MapPolicy policy = entry != nullptr ? entry->policy : MapPolicy::keep;
    if (policy == MapPolicy::migrate) return Error{"map-policy", "migration of map entries is not offered", index};
    const abi::Holds holds = abi::find_map_type(spec.type)->holds;
    const bool refers = holds == abi::Holds::programs || holds == abi::Holds::maps;
    const bool constant = refers || (spec.flags & abi::map_flag_rdonly_prog) != 0;
    const MapRef* old = nullptr;
    if (running != nullptr && !constant) {
        for (const MapRef& map : running->maps()) {
            if (map->name() == spec.name) old = &map;
        }
    }
    const bool keep = old != nullptr && policy == MapPolicy::keep;
    if (keep && !(*old)->same_layout(spec)) return Error{"map-policy", "a map to keep has another layout in the new program", index};
    MapRef map = keep ? *old : TRY(create_map(spec));
    outcome.name = map->name();
    outcome.decision = keep             ? MapDecision::kept
                       : old != nullptr ? MapDecision::reset
                                        : MapDecision::fresh;
    outcome.entries = keep ? map->entries() : 0;
    program_->maps_[index] = std::move(map);
    program_->map_count_ = index + 1;
    return done();
}

const Function& Program::function_at(std::uint64_t start) const {
    const auto before = [](const Function& function, std::uint64_t at) { return function.start < at; };
    return *std::lower_bound(functions().begin(), functions().end(), start, before);
}

Status Loader::link_functions(const ProgramShape& shape) {
    program_->functions_ = make_array<Function>(shape.count);
    if (!program_->functions_) return Error{"memory", "the heap has no room for the functions", shape.count};
    for (std::size_t i = 0; i < shape.count; ++i) {
        const std::size_t end = i + 1 < shape.count ? shape.starts[i + 1] : bundle_.size();
        program_->functions_[i] = {shape.starts[i], static_cast<std::uint32_t>(end) - shape.starts[i]};
    }
    return done();
}

// What a map holds from the start, once all maps are there.
Status Loader::fill_maps() {
    for (std::size_t i = 0; i < bundle_.map_count; ++i) {
        Map& map = *program_->maps_[i];
        const bool programs = map.holds() == abi::Holds::programs;
        if (map.holds() == abi::Holds::maps) map.refer_to(program_->maps());
        TRY(each_entry(bundle_.maps[i], [&](const InitialEntry& entry) -> Status {
            if (programs) static_cast<ArrayMap&>(map).set_program(entry.index, entry.target);
            else TRY(fill_map_of_maps(map, entry));
            return done();
        }));
    }
    return done();
}

// Keys of a hash are numbers here, as libbpf makes them of the places in `.values`.
Status Loader::fill_map_of_maps(Map& map, const InitialEntry& entry) {
    const auto bytes = [](const std::uint32_t& number) { return reinterpret_cast<const std::uint8_t*>(&number); };
    if (map.key_size() != sizeof entry.index) return Error{"load", "a map with initial entries has keys that are not 4 bytes long", map.key_size()};
    if (map.set(bytes(entry.index), bytes(entry.target), abi::update_any) == 0) return done();
    return Error{"load", "an initial entry of a map of maps does not fit", entry.index};
}

Result<Owned<Program>> Loader::link(const ProgramShape& shape) {
    Program& program = *program_;
    TRY(link_functions(shape));
    program.kind_ = bundle_.kind;
    program.name_size_ = static_cast<std::uint8_t>(bundle_.name.size());
    std::memcpy(program.name_, bundle_.name.data(), bundle_.name.size());
    program.code_ = make_array<Instruction>(bundle_.size());
    if (!program.code_) return Error{"memory", "the heap has no room for the instructions", bundle_.size()};
    for (std::size_t i = 0; i < bundle_.size(); ++i) {
        Instruction* in = &program.code_[i];
        *in = bundle_.instruction(i);
        const Operation operation = find_operation(*in);
        if (operation == Operation::count) return Error{"load", "instruction was not validated", i};
        in->opcode = static_cast<std::uint8_t>(operation);
        if (operation == Operation::op_call_helper) link_helper(in);
        if (operation == Operation::op_call_local) {
            const Function& callee = program.function_at(static_cast<std::uint64_t>(static_cast<std::int64_t>(i) + 1 + in->imm));
            in->imm = static_cast<std::int32_t>(&callee - program.functions_.data());
        }
        if (describe(operation).category != Category::load_imm64) continue;
        program.code_[i + 1] = bundle_.instruction(i + 1);
        link_imm64(in, i, operation);
        ++i;
    }
    return std::move(program_);
}

// Offset and dst, which no call of a helper has, say what each such call costs (effects.hpp, work_of_call).
void Loader::link_helper(Instruction* in) const {
    const auto helper = static_cast<abi::Helper>(in->imm);
    const abi::cost::Stored cost = abi::cost::stored(abi::cost::of_maps(helper, map_shapes(bundle_)));
    in->imm = static_cast<std::int32_t>(abi::helper_index(static_cast<std::uint32_t>(in->imm)));
    in->offset = static_cast<std::int16_t>(cost.units);
    in->dst = cost.doubled & 15;
}

void Loader::link_imm64(Instruction* in, std::size_t index, Operation operation) const {
    const Immediate64 kind = describe(operation).immediate;
    if (kind == Immediate64::number) return;
    if (kind == Immediate64::function) return set_imm64(in, function_value(static_cast<std::uint64_t>(static_cast<std::int64_t>(index) + 1 + in->imm)));
    const MapRef& map = program_->maps_[static_cast<std::size_t>(in[0].imm)];
    const auto offset = static_cast<std::uint32_t>(in[1].imm);
    // A map handle is the address of its Map: helpers turn it back, programs may only hand it on.
    set_imm64(in, kind == Immediate64::map ? reinterpret_cast<std::uintptr_t>(map.get())
                                           : reinterpret_cast<std::uintptr_t>(map->global_data()) + offset);
}

}  // namespace unibpf
