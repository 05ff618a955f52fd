// Authentication of requests and answers: COSE_Mac0 with HMAC-SHA-256 (schemas/control.cddl, RFC 9052 6.2).
//
// Checks of a request, in this order: shape · tag, in constant time, over the payload as it came · strict claims · direction,
// method, path, guest, boot nonce · body digest · counter. Only who holds the seed gets past the tag, and each message counts
// once per boot: a MACed request can be neither changed, moved, reflected nor replayed.
// An answer covers the request's tag, so it answers exactly that request.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/core/bytes.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

struct MacKeys {
    std::array<std::uint8_t, 16> nonce{};  // no secret: status shows it
    Digest to_guest{};
    Digest from_guest{};
};
MacKeys derive_mac_keys(std::span<const std::uint8_t, 32> seed);

// What a request must be about.
struct MacContext {
    const MacKeys* keys = nullptr;
    std::string_view guest;
    std::uint8_t method = 0;
    std::string_view path;
};

struct MacRequest {
    Bytes body;
    Digest tag{};
    std::uint64_t counter = 0;
};

// Is this `[mac0, body]` (and not a bare signed bundle)? Told by the first byte of the first string.
bool is_authenticated(Bytes message);

// The counter of a request of which only the beginning has come, if its tag is right and it is about this; 0 if not, or if too
// little has come to tell. It says who began to send, nothing about the body.
std::uint64_t vouched_counter(Bytes beginning, const MacContext& context);

// Everything but the counter, which the caller judges. Errors: `shape` or `mac`.
Result<MacRequest> open_request(Bytes message, const MacContext& context);

// What precedes `body` in the authenticated answer `[mac0, body]`; a prefix, so that the body need not be moved.
inline constexpr std::size_t max_answer_prefix = 640;
Result<std::size_t> seal_answer(const MacContext& context, const MacRequest& request, std::uint8_t code, Bytes body,
                                std::span<std::uint8_t> prefix);

// The counter of one boot: it rises by every request, and never so far that nothing is left above it. A client takes
// max(last + 1, Unix microseconds); a step may reach 2^45 (407 days of microseconds) above the highest seen, or above the guest's
// clock where that is further on. So one wrong counter costs a refusal or a gap, never the channel.
class CounterGate {
  public:
    static constexpr std::uint64_t longest_step = UINT64_C(1) << 45;

    // Fails with rule `counter` and the highest seen unless `counter` is above that, and not too far.
    Status pass(std::uint64_t counter, std::uint64_t now_us) {
        if (counter <= highest_) return Error{"counter", "the counter is not above the highest seen", highest_};
        if (!would_pass(counter, now_us)) return Error{"counter", "the counter is too far above the highest seen and the clock", highest_};
        highest_ = counter;
        return done();
    }
    bool would_pass(std::uint64_t counter, std::uint64_t now_us) const {
        // The sum cannot overflow before the year 290,000.
        return counter > highest_ && counter <= std::max(highest_, now_us) + longest_step;
    }
    std::uint64_t highest() const { return highest_; }

  private:
    std::uint64_t highest_ = 0;
};

}  // namespace unibpf
