#include "tests/soundness/certified.hpp"

#include <numeric>

#include "services/signer/native/input/refusal.hpp"

namespace unibpf::soundness {

std::uint64_t Certified::refusals() const {
    return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0}, [](std::uint64_t sum, const auto& one) { return sum + one.second; });
}

std::optional<certificate::Proof> prove(const Bytes& bundle, const analyser::Report& report, Certified& tally, std::string& why) {
    try {
        if (!report.certificate) throw certificate::Refusal{"certificate-missing", "the analyser wrote none"};
        const certificate::Program program = certificate::read_program(bundle);
        const certificate::Proof proof = certificate::check(program, certificate::read_certificate(*report.certificate, program));
        ++tally.proved;
        return proof;
    } catch (const certificate::Refusal& refusal) {
        why = refusal.message;
        const std::size_t place = why.find(' ', sizeof "instruction");
        ++tally.refused[why.starts_with("instruction ") && place != why.npos ? why.substr(place + 1) : why];
        return std::nullopt;
    }
}

}  // namespace unibpf::soundness
