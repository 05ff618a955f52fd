#include "guest/control/trust/mac.hpp"

#include <algorithm>
#include <array>

#include "guest/control/trust/crypto.hpp"
#include "guest/control/keys.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

namespace {

constexpr std::uint64_t cose_mac0_tag = 17;                            // RFC 9052 table 1
constexpr std::array<std::uint8_t, 3> protected_header{0xa1, 0x01, 0x05};  // { 1: 5 }, HMAC 256/256 (RFC 9053 3.1)
constexpr std::uint8_t tag_17_byte = 0xd1;
constexpr std::uint64_t direction_request = 0;
constexpr std::uint64_t direction_answer = 1;
constexpr std::size_t max_claims = 512;
constexpr std::string_view protocol_label = "unibpf.v1.control";

Bytes as_bytes(std::string_view text) {
    // Sound: bytes of char objects may be read as unsigned char.
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Error bad_mac(const char* text, std::uint64_t value = 0) { return Error{"mac", text, value}; }

// RFC 9052 6.3: MAC_structure = ["MAC0", protected, external_aad, payload].
Digest mac_tag(const Digest& key, Bytes payload) {
    std::array<std::uint8_t, 64> head;
    cbor::Writer writer{head};
    writer.array(4);
    writer.text("MAC0");
    writer.bytes(protected_header);
    writer.bytes(as_bytes(protocol_label));
    std::array<std::uint8_t, 9> length;
    cbor::Writer length_writer{length};
    length_writer.bytes_head(payload.size());
    return crypto::hmac_sha256(key, {writer.written(), length_writer.written(), payload});
}

struct Mac0 {
    Bytes payload;
    Bytes tag;
};

Result<Mac0> parse_mac0(Bytes bytes) {
    cbor::Reader reader{bytes};
    if (TRY(reader.tag()) != cose_mac0_tag) return reader.error("the authentication is not a COSE_Mac0");
    if (TRY(reader.array()) != 4) return reader.error("the COSE_Mac0 is not an array of four");
    const Bytes header = TRY(reader.bytes());
    if (!std::equal(header.begin(), header.end(), protected_header.begin(), protected_header.end())) {
        return reader.error("the protected header is not HMAC 256/256");
    }
    if (TRY(reader.map()) != 0) return reader.error("the unprotected header is not empty");
    Mac0 mac0;
    mac0.payload = TRY(reader.bytes());
    mac0.tag = TRY(reader.bytes());
    if (mac0.tag.size() != 32) return reader.error("the tag is not 32 bytes long", mac0.tag.size());
    TRY(reader.end());
    return mac0;
}

struct Claims {
    std::uint64_t direction = 0;
    std::uint64_t code = 0;
    std::string_view path;
    std::string_view guest;
    Bytes nonce;
    std::uint64_t counter = 0;
    Bytes body_digest;
};

Result<Claims> parse_claims(Bytes payload) {
    cbor::Reader reader{payload};
    auto map = TRY(cbor::MapReader::open(reader));
    Claims claims;
    while (const auto key = TRY(map.next())) {
        switch (static_cast<MacClaimsKey>(*key)) {
            case MacClaimsKey::direction: claims.direction = TRY(reader.uint()); break;
            case MacClaimsKey::code: claims.code = TRY(reader.uint()); break;
            case MacClaimsKey::path: claims.path = TRY(reader.text()); break;
            case MacClaimsKey::guest: claims.guest = TRY(reader.text()); break;
            case MacClaimsKey::nonce: claims.nonce = TRY(reader.bytes()); break;
            case MacClaimsKey::counter: claims.counter = TRY(reader.uint()); break;
            case MacClaimsKey::body_digest: claims.body_digest = TRY(reader.bytes()); break;
            default: return map.unknown(*key);  // request_tag is the answers'
        }
    }
    TRY(map.require(0x7f));
    TRY(reader.end());
    return claims;
}

void write_claims(cbor::Writer& writer, const MacContext& context, const MacRequest& request, std::uint8_t code, Bytes body) {
    cbor::Fields<MacClaimsKey> claims{writer};
    claims[MacClaimsKey::direction].uint(direction_answer);
    claims[MacClaimsKey::code].uint(code);
    claims[MacClaimsKey::path].text(context.path);
    claims[MacClaimsKey::guest].text(context.guest);
    claims[MacClaimsKey::nonce].bytes(context.keys->nonce);
    claims[MacClaimsKey::counter].uint(request.counter);
    claims[MacClaimsKey::body_digest].bytes(crypto::sha256(body));
    claims[MacClaimsKey::request_tag].bytes(request.tag);
}

bool equal(Bytes left, Bytes right) { return std::equal(left.begin(), left.end(), right.begin(), right.end()); }

Status check_claims(const Claims& claims, const MacContext& context) {
    if (claims.direction != direction_request) return bad_mac("the MAC is not a request's", claims.direction);
    if (claims.code != context.method) return bad_mac("the MAC is for another method", claims.code);
    if (claims.path != context.path) return bad_mac("the MAC is for another path");
    if (claims.guest != context.guest) return bad_mac("the MAC is for another guest");
    if (!equal(claims.nonce, context.keys->nonce)) return bad_mac("the MAC is for another boot");
    return done();
}

// Tag first: only who holds the seed gets his claims looked at.
Result<Claims> open_mac0(const Mac0& mac0, const MacContext& context) {
    if (!crypto::equal_secret(mac0.tag, mac_tag(context.keys->to_guest, mac0.payload))) {
        return bad_mac("the tag does not fit the message");
    }
    const Claims claims = TRY(parse_claims(mac0.payload));
    TRY(check_claims(claims, context));
    return claims;
}

Result<Claims> open_beginning(Bytes beginning, const MacContext& context) {
    cbor::Reader reader{beginning};
    if (TRY(reader.array()) != 2) return reader.error("the body is not an array of authentication and body");
    return open_mac0(TRY(parse_mac0(TRY(reader.bytes()))), context);
}

}  // namespace

MacKeys derive_mac_keys(std::span<const std::uint8_t, 32> seed) {
    const crypto::Hkdf hkdf{as_bytes("unibpf.v1"), seed};
    MacKeys keys;
    hkdf.expand(as_bytes("boot-nonce"), keys.nonce);
    hkdf.expand(as_bytes("to-guest"), keys.to_guest);
    hkdf.expand(as_bytes("from-guest"), keys.from_guest);
    return keys;
}

bool is_authenticated(Bytes message) {
    cbor::Reader reader{message};
    const auto count = reader.array();
    if (!count || count.value() != 2) return false;
    const auto first = reader.bytes();
    return first && !first.value().empty() && first.value()[0] == tag_17_byte;
}

std::uint64_t vouched_counter(Bytes beginning, const MacContext& context) {
    const auto claims = open_beginning(beginning, context);
    return claims ? claims.value().counter : 0;
}

Result<MacRequest> open_request(Bytes message, const MacContext& context) {
    cbor::Reader reader{message};
    if (TRY(reader.array()) != 2) return reader.error("the body is not an array of authentication and body");
    const Bytes authentication = TRY(reader.bytes());
    MacRequest request;
    request.body = TRY(reader.bytes());
    TRY(reader.end());
    const Mac0 mac0 = TRY(parse_mac0(authentication));
    const Claims claims = TRY(open_mac0(mac0, context));
    if (!equal(claims.body_digest, crypto::sha256(request.body))) return bad_mac("the body is not the one that the MAC covers");
    std::copy(mac0.tag.begin(), mac0.tag.end(), request.tag.begin());
    request.counter = claims.counter;
    return request;
}

Result<std::size_t> seal_answer(const MacContext& context, const MacRequest& request, std::uint8_t code, Bytes body,
                                std::span<std::uint8_t> prefix) {
    std::array<std::uint8_t, max_claims> claims_buffer;
    cbor::Writer claims{claims_buffer};
    write_claims(claims, context, request, code, body);
    const Digest tag = mac_tag(context.keys->from_guest, claims.written());

    std::array<std::uint8_t, max_claims + 64> mac0_buffer;
    cbor::Writer mac0{mac0_buffer};
    mac0.tag(cose_mac0_tag);
    mac0.array(4);
    mac0.bytes(protected_header);
    mac0.map(0);
    mac0.bytes(claims.written());
    mac0.bytes(tag);

    cbor::Writer writer{prefix};
    writer.array(2);
    writer.bytes(mac0.written());
    writer.bytes_head(body.size());
    if (claims.overflow() || mac0.overflow() || writer.overflow()) return Error{"size", "the answer's MAC does not fit"};
    return writer.size();
}

}  // namespace unibpf
