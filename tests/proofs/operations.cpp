// The operations of the scalar domain as C functions, for proofs from the code that runs: this file is compiled to LLVM's
// intermediate representation, as the domain's own sources are, and tests/proofs reads that. Nothing links it.
#include "services/verifier/native/domains/scalar.hpp"
#include "services/verifier/native/domains/widening.hpp"

using namespace unibpf;
using namespace unibpf::analyser;

#define BINARY(name, op)                                                                                           \
    extern "C" void name##_64(const Scalar& a, const Scalar& b, Scalar& out) { out = compute(Alu::op, 64, a, b); } \
    extern "C" void name##_32(const Scalar& a, const Scalar& b, Scalar& out) { out = compute(Alu::op, 32, a, b); }
BINARY(add, add)
BINARY(sub, sub)
BINARY(mul, mul)
BINARY(div, div)
BINARY(mod, mod)
BINARY(sdiv, sdiv)
BINARY(smod, smod)
BINARY(or, or_)
BINARY(and, and_)
BINARY(xor, xor_)
BINARY(lsh, lsh)
BINARY(rsh, rsh)
BINARY(arsh, arsh)
BINARY(neg, neg)
BINARY(mov, mov)

#define CONDITION(name)                                                                                                \
    extern "C" void assume_##name##_64(bool holds, Scalar& a, Scalar& b) { assume(Condition::name, 64, holds, a, b); } \
    extern "C" void assume_##name##_32(bool holds, Scalar& a, Scalar& b) { assume(Condition::name, 32, holds, a, b); }
CONDITION(eq)
CONDITION(ne)
CONDITION(set)
CONDITION(gt)
CONDITION(ge)
CONDITION(lt)
CONDITION(le)
CONDITION(sgt)
CONDITION(sge)
CONDITION(slt)
CONDITION(sle)

#define EXTENSION(bytes)                                                                               \
    extern "C" void zero_extend_##bytes(const Scalar& a, Scalar& out) { out = zero_extend(a, bytes); } \
    extern "C" void sign_extend_##bytes(const Scalar& a, Scalar& out) { out = sign_extend(a, bytes); } \
    extern "C" void to_little_##bytes(const Scalar& a, Scalar& out) { out = swap_bytes(ByteOrder::little, bytes, a); }
EXTENSION(1)
EXTENSION(2)
EXTENSION(4)
EXTENSION(8)
#define SWAP(bytes) \
    extern "C" void to_big_##bytes(const Scalar& a, Scalar& out) { out = swap_bytes(ByteOrder::big, bytes, a); }
SWAP(2)
SWAP(4)
SWAP(8)

extern "C" void join_of(const Scalar& a, const Scalar& b, Scalar& out) { out = join(a, b); }
extern "C" void meet_of(const Scalar& a, const Scalar& b, Scalar& out) { out = meet(a, b); }
extern "C" void constant_of(std::uint64_t value, Scalar& out) { out = Scalar::constant(value); }
extern "C" void unsigned_range_of(std::uint64_t low, std::uint64_t high, Scalar& out) { out = Scalar::unsigned_range(low, high); }
extern "C" void signed_range_of(std::int64_t low, std::int64_t high, Scalar& out) { out = Scalar::signed_range(low, high); }
extern "C" bool leq_of(const Scalar& a, const Scalar& b) { return a.leq(b); }
extern "C" bool contains_of(const Scalar& a, std::uint64_t x) { return a.contains(x); }
extern "C" void normalise_of(Scalar& a) { a.normalise(); }
using Thresholds = std::vector<std::int64_t>;
extern "C" void widen_of(const Scalar& a, const Scalar& b, const Thresholds* thresholds, Scalar& out) { out = widen(a, b, thresholds); }
