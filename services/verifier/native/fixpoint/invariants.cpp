#include "services/verifier/native/fixpoint/invariants.hpp"

namespace unibpf::analyser {
namespace {

Claim claim_of(const State& state, const Value& value) {
    const bool has_term = value.kind != Kind::uninitialised && value.kind != Kind::mixed;
    return {true, value.kind, has_term ? state.bounds(value.term()) : Scalar::top(), value.object, value.may_be_null()};
}

// Sets are united; of two single objects nobody knows which.
std::uint64_t one_of(Claim& known, const Claim& next) {
    const Value value{known.kind};
    if (!value.is_set() && !value.is_packet_address()) known.kind = Kind::mixed;
    return known.object | next.object;
}

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::uninitialised:
        case Kind::mixed: return "";
        case Kind::number: return "number";
        case Kind::context: return "context";
        case Kind::packet: return "packet";
        case Kind::packet_address: return "packet address";
        case Kind::stack: return "stack";
        case Kind::map_value: return "map value";
        case Kind::map_key: return "map key";
        case Kind::map_handle:
        case Kind::inner_map: return "map";
        case Kind::record: return "record";
        case Kind::socket: return "socket";
        case Kind::function: return "function";
        case Kind::complement: return "complement of a packet address, number";
    }
    __builtin_unreachable();
}

std::string bound(std::int64_t x) {
    return x == INT64_MIN   ? "-inf"
           : x == INT64_MAX ? "+inf"
                            : std::to_string(x);
}

}  // namespace

void Invariants::include(std::uint32_t instruction, const State& state) {
    for (unsigned reg = 0; reg < register_count; ++reg) {
        Claim& known = claims_[instruction][reg];
        const Claim next = claim_of(state, state.registers[reg]);
        if (!known.reached) {
            known = next;
        } else {
            if (known.kind == Kind::uninitialised || next.kind == Kind::uninitialised) known.kind = Kind::uninitialised;
            else if (known.kind != next.kind) known.kind = Kind::mixed;
            else if (known.object != next.object) known.object = one_of(known, next);
            known.scalar = join(known.scalar, next.scalar);
            known.may_be_null |= next.may_be_null;
        }
    }
}

std::string describe(const Claim& claim) {
    const std::string name = claim.reached ? name_of(claim.kind) : "";
    if (name.empty() || claim.kind == Kind::map_handle || claim.kind == Kind::inner_map || claim.kind == Kind::function) return name;
    const auto [low, high] = claim.scalar.s64;
    if (claim.kind == Kind::number) return name + (low == high ? " " + bound(low) : " in [" + bound(low) + ", " + bound(high) + "]");
    if (low == 0 && high == 0) return name;
    return name + " + " + (low == high ? bound(low) : "[" + bound(low) + ", " + bound(high) + "]");
}

}  // namespace unibpf::analyser
