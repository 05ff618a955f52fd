// Any bytes as a bundle with a certificate: the last two bytes say how long the certificate is that stands before them.
//
// What must hold: the sanitizers are silent, the checker answers, and it can read what the analyser writes for a safe program.
#include <cstdlib>
#include <ctime>
#include <span>
#include <string_view>

#include "services/signer/native/input/refusal.hpp"
#include "services/signer/native/verdict/walk.hpp"
#include "services/verifier/native/report/report.hpp"

using namespace unibpf;

namespace {

enum class Answer {
    accepted,
    malformed,
    unproved
};

Answer checked(std::span<const std::uint8_t> bundle, std::span<const std::uint8_t> bytes) {
    try {
        const certificate::Program program = certificate::read_program(bundle);
        (void)certificate::check(program, certificate::read_certificate(bytes, program));
        return Answer::accepted;
    } catch (const certificate::Refusal& refusal) {
        return std::string_view{refusal.rule} == "certificate-malformed" ? Answer::malformed : Answer::unproved;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return -1;
    const std::size_t length = data[size - 2] | std::size_t{data[size - 1]} << 8;
    if (length > size - 2) return -1;
    const std::span<const std::uint8_t> bundle{data, size - 2 - length}, foreign{data + size - 2 - length, length};
    (void)checked(bundle, foreign);
    const double now = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    const auto report = analyser::examine(bundle, {.max_seconds = now + 0.5, .certificate = true});
    if (report.verdict == analyser::Verdict::safe && report.certificate && checked(bundle, *report.certificate) == Answer::malformed) std::abort();
    return 0;
}
