#include "guest/control/trust/envelope.hpp"

#include <algorithm>

#include "guest/bpf/bundle/decode.hpp"
#include "guest/control/trust/crypto.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

namespace {

constexpr std::uint64_t cose_sign1_tag = 18;  // RFC 9052 table 1
constexpr std::uint64_t max_sequence = INT64_MAX;
constexpr std::uint64_t abi_version = 1;
constexpr std::size_t max_element_name = 63;
constexpr std::size_t max_map_name = 63;
constexpr std::string_view any_element = "*";
constexpr std::string_view protocol_label = "unibpf.v1.envelope";

Bytes as_bytes(std::string_view text) {
    // Sound: bytes of char objects may be read as unsigned char.
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Error shape(const char* text, std::uint64_t value = 0) { return Error{"shape", text, value}; }
Error payload(const char* text, std::uint64_t value = 0) { return Error{"payload", text, value}; }

// RFC 9052 4.2: { 1 => alg, 4 => kid }, exactly these two.
Status parse_protected(Envelope& envelope) {
    cbor::Reader reader{envelope.protected_header};
    auto map = TRY(cbor::MapReader::open(reader));
    while (const auto key = TRY(map.next())) {
        switch (*key) {
            case 1: {
                const std::int64_t algorithm = TRY(reader.nint());
                if (algorithm < INT8_MIN) return shape("the signature algorithm is unknown");
                envelope.algorithm = static_cast<std::int8_t>(algorithm);
                break;
            }
            case 4: envelope.kid = TRY(reader.bytes()); break;
            default: return map.unknown(*key);
        }
    }
    TRY(map.require(1u << 1 | 1u << 4));
    if (envelope.kid.size() != 8) return shape("the key id is not eight bytes long", envelope.kid.size());
    return reader.end();
}

Result<Bytes> sized_bytes(cbor::Reader& reader, std::size_t size) {
    const Bytes bytes = TRY(reader.bytes());
    if (bytes.size() != size) return reader.error("a byte string has the wrong length", bytes.size());
    return bytes;
}

Result<std::string_view> name_of(cbor::Reader& reader) {
    const std::string_view text = TRY(reader.text());
    if (!is_program_name(text)) return reader.error("a name is not made as names are", text.size());
    return text;
}

Result<std::uint64_t> number_within(cbor::Reader& reader, std::uint64_t least, std::uint64_t most) {
    const std::uint64_t value = TRY(reader.uint());
    if (value < least || value > most) return reader.error("a number is out of its range", value);
    return value;
}

// [name, version, options digest, verdict digest]: signed, so that it can be audited; the guest does not decide by it.
Status parse_verifier(cbor::Reader& reader) {
    if (TRY(reader.array()) != 4) return payload("the verifier is not an array of four");
    TRY(reader.text());
    TRY(reader.text());
    TRY(sized_bytes(reader, 32));
    TRY(sized_bytes(reader, 32));
    return done();
}

Result<MapPolicyEntry> parse_policy(cbor::Reader& reader) {
    const std::uint64_t fields = TRY(reader.array());
    if (fields != 2 && fields != 3) return payload("a map policy is not an array of two or three", fields);
    MapPolicyEntry row;
    row.map = TRY(reader.text());
    if (row.map.empty() || row.map.size() > max_map_name) return payload("a map name has the wrong length", row.map.size());
    row.policy = static_cast<MapPolicy>(TRY(number_within(reader, 0, 2)));
    if (fields == 3) row.plan = TRY(reader.bytes());
    return row;
}

Status parse_policies(cbor::Reader& reader, Release& release) {
    const std::uint64_t count = TRY(reader.array());
    if (count > max_map_policies) return payload("there are too many map policies", count);
    for (std::uint64_t i = 0; i < count; ++i) {
        const MapPolicyEntry row = TRY(parse_policy(reader));
        if (i > 0 && release.map_policies[i - 1].map >= row.map) return payload("map policies are not ascending by name", i);
        release.map_policies.push(row);
    }
    return done();
}

// [milliseconds, packets, share, whether XDP_ABORTED counts]
Result<Probation> parse_probation(cbor::Reader& reader) {
    if (TRY(reader.array()) != 4) return payload("the probation is not an array of four");
    Probation probation;
    probation.ns = TRY(number_within(reader, 1, 3'600'000)) * 1'000'000;
    probation.packets = TRY(number_within(reader, 1, 1'000'000));
    probation.share = TRY(number_within(reader, 1, 1'000'000));
    probation.counts_aborted = TRY(number_within(reader, 0, 1)) == 1;
    return probation;
}

Status parse_field(cbor::Reader& reader, unsigned key, Release& release) {
    switch (key) {
        case 0: TRY(number_within(reader, 1, 1)); break;
        case 1: release.kind = static_cast<ReleaseKind>(TRY(number_within(reader, 0, 3))); break;
        case 2: release.program = TRY(name_of(reader)); break;
        case 3:
            release.element = TRY(reader.text());
            if (release.element.empty() || release.element.size() > max_element_name) {
                return payload("an element name has the wrong length", release.element.size());
            }
            break;
        case 4: release.sequence = TRY(number_within(reader, 1, max_sequence)); break;
        case 5: release.audience = TRY(name_of(reader)); break;
        case 6: release.bundle_digest = TRY(sized_bytes(reader, 32)); break;
        case 7: release.bundle_length = TRY(number_within(reader, 1, max_bundle)); break;
        case 8: release.abi = TRY(reader.uint()); break;
        case 9: release.not_after = TRY(reader.uint()); break;
        case 10: return parse_verifier(reader);
        case 11: return parse_policies(reader, release);
        case 12: release.precursor = TRY(sized_bytes(reader, 32)); break;
        case 13: release.probation = TRY(parse_probation(reader)); break;
        default: return payload("a release has an unknown key", key);
    }
    return done();
}

bool same(const Digest& digest, Bytes bytes) { return std::equal(digest.begin(), digest.end(), bytes.begin(), bytes.end()); }

bool is(const std::optional<Installed>& installed, const Release& release, const Digest& digest) {
    return installed.has_value() && installed->sequence == release.sequence && installed->digest == digest;
}

}  // namespace

std::uint64_t boot_floor(const BootImage& image, std::string_view element) {
    const std::uint64_t floor = image.floor(element);
    return floor == 0 ? 0 : floor - 1;
}

Result<SignedBundle> parse_signed_bundle(Bytes message) {
    cbor::Reader reader{message};
    if (TRY(reader.array()) != 2) return shape("the body is not an array of envelope and bundle");
    SignedBundle parts;
    parts.envelope = TRY(reader.bytes());
    parts.bundle = TRY(reader.bytes());
    TRY(reader.end());
    return parts;
}

Result<Envelope> parse_envelope(Bytes bytes) {
    cbor::Reader reader{bytes};
    if (TRY(reader.tag()) != cose_sign1_tag) return shape("the envelope is not a COSE_Sign1");
    if (TRY(reader.array()) != 4) return shape("the envelope is not an array of four");
    Envelope envelope;
    envelope.protected_header = TRY(reader.bytes());
    if (TRY(reader.map()) != 0) return shape("the unprotected header is not empty");
    envelope.payload = TRY(reader.bytes());
    envelope.signature = TRY(sized_bytes(reader, 64));
    TRY(reader.end());
    TRY(parse_protected(envelope));
    return envelope;
}

Status check_signature(const Envelope& envelope, std::span<const PinnedKey> keys, std::span<std::uint8_t> scratch) {
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const PinnedKey& pinned) {
        return std::equal(pinned.kid.begin(), pinned.kid.end(), envelope.kid.begin(), envelope.kid.end());
    });
    if (key == keys.end()) return Error{"key", "no pinned key has this key id"};
    if (static_cast<std::int8_t>(key->algorithm) != envelope.algorithm) {
        return Error{"key", "the algorithm is not the one pinned with the key"};
    }
    // RFC 9052 4.4: Sig_structure = ["Signature1", protected, external_aad, payload], over the bytes as they came.
    cbor::Writer writer{scratch};
    writer.array(4);
    writer.text("Signature1");
    writer.bytes(envelope.protected_header);
    writer.bytes(as_bytes(protocol_label));
    writer.bytes(envelope.payload);
    if (writer.overflow()) return Error{"size", "the envelope is too large", envelope.payload.size()};
    if (!crypto::verify(*key, writer.written(), envelope.signature)) {
        return Error{"signature", "the signature does not fit the envelope"};
    }
    return done();
}

Status parse_release(Bytes bytes, Release& release) {
    cbor::Reader reader{bytes, "payload"};
    auto map = TRY(cbor::MapReader::open(reader));
    while (const auto key = TRY(map.next())) TRY(parse_field(reader, *key, release));
    TRY(map.require(0b1101'1111'1111));  // all but not-after (9), precursor (12) and probation (13)
    return reader.end();
}

Status check_place(const Release& release, const Trust& trust, const Target& target) {
    if (release.audience != trust.audience) return Error{"audience", "the release is meant for another guest class"};
    if (!target.exists) return Error{"element", "this guest has no BPF element of that name"};
    if (release.element != any_element && release.element != target.element) {
        return Error{"other-element", "the release is meant for another element"};
    }
    if (release.kind != target.kind) {
        return Error{"kind", "the element takes another kind of program", static_cast<std::uint64_t>(release.kind)};
    }
    if (!target.program.empty() && release.program != target.program) {
        return Error{"program", "the element runs a program of another name"};
    }
    return done();
}

Result<Standing> check_sequence(const Release& release, const Digest& digest, const Target& target) {
    if (is(target.active, release, digest)) return Standing::already_active;
    if (is(target.staged, release, digest)) return Standing::already_staged;
    if (target.staged.has_value() && target.staged->keyed && !target.keyed) {
        return Error{"mac", "what is staged was staged with a MAC, and replacing it takes one"};
    }
    const bool counts = target.staged.has_value() && target.staged->keyed == target.keyed;
    const std::uint64_t highest = std::max(target.floor, counts ? target.staged->sequence : 0);
    if (release.sequence <= highest) {
        return Error{"sequence", "the release is older than, or another one of the number of, what was here before", highest};
    }
    if (!release.precursor.empty() && !(target.active.has_value() && same(target.active->digest, release.precursor))) {
        return Error{"precursor", "the release that must be active before is not"};
    }
    return Standing::fresh;
}

Status check_bundle(const Release& release, Bytes bundle) {
    if (bundle.size() != release.bundle_length) {
        return Error{"bundle-length", "the bundle has another length than the signed one", bundle.size()};
    }
    if (!same(crypto::sha256(bundle), release.bundle_digest)) {
        return Error{"bundle-digest", "the bundle has another digest than the signed one"};
    }
    return done();
}

Status judge(Bytes message, const Trust& trust, const Target& target, std::span<std::uint8_t> scratch, Steps& steps,
             Judgement& judgement) {
    steps.begin("parse");
    if (message.size() > max_signed_bundle) return Error{"size", "the signed bundle is too large", max_signed_bundle};  // 1
    const SignedBundle parts = TRY(parse_signed_bundle(message));                                                       // 2
    return judge(parts, trust, target, scratch, steps, judgement);
}

Status judge(const SignedBundle& parts, const Trust& trust, const Target& target, std::span<std::uint8_t> scratch, Steps& steps,
             Judgement& judgement) {
    if (parts.envelope.size() > max_envelope) return Error{"size", "the envelope is too large", max_envelope};  // 1
    const Envelope envelope = TRY(parse_envelope(parts.envelope));                                              // 2
    steps.begin("signature");
    TRY(check_signature(envelope, trust.keys, scratch));  // 3
    steps.begin("payload");
    Release& release = judgement.release;
    release = Release{};
    TRY(parse_release(envelope.payload, release));  // 4
    TRY(check_place(release, trust, target));        // 5, 6
    judgement.digest = crypto::sha256(parts.envelope);
    judgement.bundle = parts.bundle;
    judgement.standing = TRY(check_sequence(release, judgement.digest, target));  // 7
    if (release.not_after.has_value() && trust.now_s.has_value() && *trust.now_s > *release.not_after) {
        return Error{"not-after", "the release has expired", *release.not_after};  // 8
    }
    steps.begin("digest");
    TRY(check_bundle(release, parts.bundle));  // 9
    if (release.abi != abi_version) return Error{"abi", "the program interface version is not 1", release.abi};  // 10
    steps.end();
    return done();
}

}  // namespace unibpf
