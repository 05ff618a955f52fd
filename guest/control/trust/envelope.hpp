// The envelope (schemas/envelope.cddl): taking it apart and judging it, as pure functions over bytes and facts.
//
// The order of the checks is the contract (design 5), numbered here as in the code:
//    1 size                 the whole message is within its cap (and is the guest's private copy: the caller's business)
//    2 shape                [envelope, bundle]; COSE_Sign1 with tag 18, an empty unprotected header, a fixed protected one
//    3 key, signature       a pinned key of that kid, the algorithm pinned with it, over the raw bytes
//    4 payload              strictly a release
//    5 audience             this guest's class
//    6 element, kind, program    the place asked for exists and this release is meant for it
//    7 sequence, precursor  strictly rising; the same release again is `already`. What somebody without a MAC staged stands in
//                           nobody's way who has one; what somebody with a MAC staged, only such a one replaces (rule `mac`)
//    8 not-after            by the wall clock, if there is one
//    9 bundle-length, bundle-digest
//   10 abi                  (11.. decoding, limits, helpers, maps: guest/bpf)
// Invariants: nothing of a message is looked at before 2 and 3 have passed, but what they need themselves; no function here
// reads a clock, allocates, or changes anything. A release that passes has been signed for exactly this place.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "guest/bpf/maps/map.hpp"
#include "guest/bpf/slot.hpp"
#include "guest/control/boot.hpp"
#include "guest/control/steps.hpp"

namespace unibpf {

inline constexpr std::size_t max_envelope = 16 * 1024;
inline constexpr std::size_t max_release = max_envelope - 256;
inline constexpr std::size_t max_bundle = 1 << 20;
inline constexpr std::size_t max_signed_bundle = max_envelope + max_bundle + 16;
inline constexpr std::size_t max_map_policies = 64;

enum class ReleaseKind : std::uint8_t {
    filter = 0,
    classifier = 1,
    rewriter = 2,
    graph = 3
};

struct Release {
    ReleaseKind kind = ReleaseKind::filter;
    std::string_view program;
    std::string_view element;  // or "*"
    std::uint64_t sequence = 0;
    std::string_view audience;
    Bytes bundle_digest;       // 32 bytes
    std::uint64_t bundle_length = 0;
    std::uint64_t abi = 0;
    std::optional<std::uint64_t> not_after;  // Unix seconds
    FixedList<MapPolicyEntry, max_map_policies> map_policies;
    Bytes precursor;           // empty or 32 bytes
    std::optional<Probation> probation;
};

struct SignedBundle {
    Bytes envelope;
    Bytes bundle;
};

// COSE_Sign1 as raw parts (RFC 9052 4.2).
struct Envelope {
    Bytes protected_header;
    std::int8_t algorithm = 0;
    Bytes kid;
    Bytes payload;
    Bytes signature;
};

// A release that is loaded somewhere.
struct Installed {
    std::uint64_t sequence = 0;
    Digest digest{};  // of its envelope
    bool keyed = false;  // staged by somebody who holds the key
};

// What a release meets: all that the decision depends on.
struct Target {
    bool exists = false;
    std::string_view element;
    ReleaseKind kind = ReleaseKind::filter;
    std::string_view program;  // the name this element runs; empty: any
    std::uint64_t floor = 0;   // highest sequence that was ever active
    std::optional<Installed> active;
    std::optional<Installed> staged;
    bool keyed = true;  // who asks holds the key of this boot
};

struct Trust {
    std::span<const PinnedKey> keys;
    std::string_view audience;
    std::optional<std::uint64_t> now_s;  // Unix seconds; none: no clock
};

enum class Standing : std::uint8_t {
    fresh,
    already_staged,
    already_active
};

struct Judgement {
    Standing standing = Standing::fresh;
    Digest digest{};  // of the envelope
    Release release;
    Bytes bundle;
};

// Steps 1 to 10 on `message`. `scratch` takes the bytes that are signed (max_envelope); views in the judgement point into
// `message`. Times go to `steps`: parse, signature, payload, digest.
Status judge(Bytes message, const Trust& trust, const Target& target, std::span<std::uint8_t> scratch, Steps& steps,
             Judgement& judgement);

// The same for a release whose parts lie apart (boot image).
Status judge(const SignedBundle& parts, const Trust& trust, const Target& target, std::span<std::uint8_t> scratch, Steps& steps,
             Judgement& judgement);

// The floor that a release of the boot image must pass: what ran before the reboot may run again, nothing older may.
std::uint64_t boot_floor(const BootImage& image, std::string_view element);

// The single steps, for tests and fuzzing.
Result<SignedBundle> parse_signed_bundle(Bytes message);
Result<Envelope> parse_envelope(Bytes bytes);
Status check_signature(const Envelope& envelope, std::span<const PinnedKey> keys, std::span<std::uint8_t> scratch);
Status parse_release(Bytes payload, Release& release);
Status check_place(const Release& release, const Trust& trust, const Target& target);
Result<Standing> check_sequence(const Release& release, const Digest& digest, const Target& target);
Status check_bundle(const Release& release, Bytes bundle);

}  // namespace unibpf
