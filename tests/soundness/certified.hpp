// What the signer's checker says of programs that the analyser accepts: it proves them from the analyser's certificate, and its own
// bounds hold of every run. A refusal is no fault of soundness, but such a program is never signed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "services/signer/native/verdict/walk.hpp"
#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {

struct Certified {
    std::uint64_t proved = 0;
    std::map<std::string, std::uint64_t> refused;  // reason, without its place
    std::uint64_t refusals() const;
};

// Nothing: the checker refuses; `why` says it.
std::optional<certificate::Proof> prove(const Bytes& bundle, const analyser::Report& report, Certified& tally, std::string& why);

}  // namespace unibpf::soundness
