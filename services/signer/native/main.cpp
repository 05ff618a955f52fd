// unibpf-check: `[bundle, certificate]` as two CBOR byte strings in an array on standard input, one line of JSON on standard output.
//
// Exit 0 whenever it answered. Both come from elsewhere: before the first byte is read the process gives up what it does not need.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "services/signer/native/input/cbor.hpp"
#include "services/signer/native/verdict/walk.hpp"

namespace {

using namespace unibpf::certificate;

constexpr std::size_t largest_input = 24 << 20;
constexpr rlim_t most_memory = rlim_t{1} << 30, most_seconds = 20;
constexpr int exit_usage = 2, exit_failed = 3;

bool limit(int resource, rlim_t most) {
    const rlimit wanted{most, most};
    return setrlimit(static_cast<__rlimit_resource>(resource), &wanted) == 0;
}

bool confine() {
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CPU, most_seconds) && limit(RLIMIT_AS, most_memory) && limit(RLIMIT_FSIZE, 1 << 20) &&
           limit(RLIMIT_NOFILE, 3) && limit(RLIMIT_CORE, 0);
}

bool read_input(std::vector<std::uint8_t>& bytes) {
    std::size_t size = 0;
    for (bytes.resize(1 << 16);; bytes.resize(2 * bytes.size())) {
        for (ssize_t got = 1; got > 0 && size < bytes.size(); size += static_cast<std::size_t>(got)) {
            got = read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
            if (got < 0) return false;
            if (got == 0) break;
        }
        if (size < bytes.size() || size > largest_input) break;
    }
    bytes.resize(size);
    return true;
}

std::string accepted(const Proof& proof) {
    const double cpu_ms = static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
    return "{\"verdict\":\"accepted\",\"instruction_bound\":" + std::to_string(proof.instructions) + ",\"cost_bound\":" + std::to_string(proof.cost) + ",\"nodes\":" + std::to_string(proof.nodes) +
           ",\"states\":" + std::to_string(proof.states) + ",\"cpu_ms\":" + std::to_string(cpu_ms) + "}";
}

// Messages are made of the checker's own words and of numbers: nothing to be escaped.
std::string refused(const Refusal& refusal) { return std::string{"{\"verdict\":\"refused\",\"rule\":\""} + refusal.rule + "\",\"message\":\"" + refusal.message + "\"}"; }

std::string judge(const std::vector<std::uint8_t>& input) {
    try {
        if (input.size() > largest_input) too_large("bundle and certificate are larger than 24 MiB");
        Cbor in{input};
        if (in.array() != 2) malformed("the input is no pair of bundle and certificate");
        const auto bundle = in.bytes(), certificate = in.bytes();
        if (!in.at_end()) malformed("bytes after the input");
        const Program program = read_program(bundle);
        return accepted(check(program, read_certificate(certificate, program)));
    } catch (const Refusal& refusal) {
        return refused(refusal);
    } catch (const std::bad_alloc&) {
        return refused({"certificate-limits", "the check needs more memory than its limit"});
    }
}

}  // namespace

int main(int argc, char**) {
    if (argc != 1) {
        std::fputs("usage: unibpf-check < PAIR\n  PAIR  a CBOR array of two byte strings: bundle, certificate\n", stderr);
        return exit_usage;
    }
    std::vector<std::uint8_t> input;
    if (!confine() || !read_input(input)) {
        std::fputs("error: the process cannot limit itself, or standard input cannot be read\n", stderr);
        return exit_failed;
    }
    const std::string answer = judge(input) + "\n";
    return write(STDOUT_FILENO, answer.data(), answer.size()) == static_cast<ssize_t>(answer.size()) ? 0 : exit_failed;
}
