// Any bytes as a signed bundle and as an authenticated request. The fuzzer cannot sign, so it also gets at what lies behind the
// signature directly: the same bytes are read as a release.
//
// What must hold: nothing reads outside its memory, and no input passes that was not signed or MACed (the keys are of no use:
// all zero, which is no point of the curve's prime-order group).
#include <array>
#include <cstdlib>

#include "guest/control/trust/envelope.hpp"
#include "guest/control/trust/mac.hpp"

using namespace unibpf;

namespace {

constexpr std::array<std::uint8_t, 32> zero_key{};

void judge_it(Bytes message) {
    static std::array<std::uint8_t, max_envelope> scratch;
    static Judgement judgement;
    PinnedKey key;
    key.key = zero_key;
    Target target;
    target.exists = true;
    target.element = "fw";
    Steps steps;
    const Trust trust{{&key, 1}, "edge", 1};
    if (judge(message, trust, target, scratch, steps, judgement)) std::abort();
}

void open_it(Bytes message) {
    static const MacKeys keys = derive_mac_keys(zero_key);
    const MacContext context{&keys, "fw1", 3, "/elements/fw/program"};
    (void)is_authenticated(message);
    if (open_request(message, context)) std::abort();
}

void read_release(Bytes payload) {
    static Release release;
    release = Release{};
    if (!parse_release(payload, release)) return;
    const Trust trust{{}, "edge", 1};
    Target target;
    target.exists = true;
    (void)check_place(release, trust, target);
    (void)check_sequence(release, Digest{}, target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes{data, size};
    judge_it(bytes);
    open_it(bytes);
    read_release(bytes);
    if (const auto envelope = parse_envelope(bytes); envelope) read_release(envelope.value().payload);
    return 0;
}
