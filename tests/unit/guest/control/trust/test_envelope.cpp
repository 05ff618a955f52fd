#include <doctest/doctest.h>

#include <string>

#include "guest/control/trust/envelope.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const Signer signer;
const Octets bundle = octets("not a bundle, but judged by its bytes alone");

struct Verdict {
    std::string rule;  // empty: passed
    Standing standing = Standing::fresh;
    std::uint64_t value = 0;
};

Target firewall() {
    Target target;
    target.exists = true;
    target.element = "fw";
    target.kind = ReleaseKind::filter;
    target.program = "firewall";
    target.floor = 5;
    return target;
}

Verdict judged(const Octets& message, const Target& target = firewall(), std::optional<std::uint64_t> now_s = 1000) {
    const Trust trust{{&signer.pinned(), 1}, "edge", now_s};
    Octets scratch(max_envelope);
    Steps steps;
    Judgement judgement;
    const Status status = judge(message, trust, target, scratch, steps, judgement);
    if (!status) return {status.error().rule, Standing::fresh, status.error().value};
    return {"", judgement.standing, 0};
}

std::string rule_of(const ReleaseFields& fields, const Target& target = firewall()) {
    return judged(signer.message(fields, bundle), target).rule;
}

Digest digest_of(const ReleaseFields& fields) { return crypto::sha256(signer.envelope(fields.encoded(bundle))); }

}  // namespace

TEST_CASE("a release signed for this place passes") { CHECK(rule_of({}) == ""); }

TEST_CASE("a release that names the element passes") { CHECK(rule_of({.element = "fw"}) == ""); }

TEST_CASE("an envelope changed in any single bit is refused") {
    const Octets envelope = signer.envelope(ReleaseFields{}.encoded(bundle));
    for (std::size_t at = 0; at < envelope.size() * 8; ++at) {
        Octets changed = envelope;
        changed[at / 8] ^= static_cast<std::uint8_t>(1u << at % 8);
        CAPTURE(at);
        REQUIRE(judged(Signer::pair(changed, bundle)).rule != "");
    }
}

TEST_CASE("an envelope cut at any byte is refused") {
    const Octets message = signer.message({}, bundle);
    for (std::size_t length = 0; length < message.size(); ++length) {
        REQUIRE(judged(Octets(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length))).rule != "");
    }
}

TEST_CASE("a bundle changed in any single byte is refused") {
    const Octets envelope = signer.envelope(ReleaseFields{}.encoded(bundle));
    for (std::size_t at = 0; at < bundle.size(); ++at) {
        Octets changed = bundle;
        changed[at] ^= 0x80;
        REQUIRE(judged(Signer::pair(envelope, changed)).rule == "bundle-digest");
    }
}

TEST_CASE("a message outside its form is refused by shape") {
    const Octets payload = ReleaseFields{}.encoded(bundle);
    const Octets good = signer.envelope(payload);
    Octets message = Signer::pair(good, bundle);
    SUBCASE("bytes past the end") { message.push_back(0); }
    SUBCASE("an array of three") { message[0] = 0x83; }
    SUBCASE("an envelope without its tag") { message = Signer::pair(Octets(good.begin() + 1, good.end()), bundle); }
    SUBCASE("an unprotected header that is not empty") {
        Octets changed = good;
        const auto map = std::find(changed.begin(), changed.end(), 0xa0);
        *map = 0xa1;
        changed.insert(map + 1, {0x00, 0x00});
        message = Signer::pair(changed, bundle);
    }
    SUBCASE("a protected header with a third key") {
        const Octets header = encode([](cbor::Writer& w) {
            w.map(3), w.uint(1), w.nint(-8), w.uint(4), w.bytes(signer.pinned().kid), w.uint(5), w.uint(0);
        });
        message = Signer::pair(signer.envelope(payload, header), bundle);
    }
    SUBCASE("a protected header without a key id") {
        message = Signer::pair(signer.envelope(payload, encode([](cbor::Writer& w) { w.map(1), w.uint(1), w.nint(-8); })), bundle);
    }
    SUBCASE("a text") {
        message = encode([](cbor::Writer& w) { w.text("envelope"); });
    }
    SUBCASE("arrays nested a thousand deep") { message = Octets(1000, 0x81); }
    SUBCASE("nothing") { message.clear(); }
    CHECK(judged(message).rule == "shape");
}

TEST_CASE("a too large envelope is refused by size") {
    CHECK(judged(Signer::pair(Octets(max_envelope + 1), bundle)).rule == "size");
}

TEST_CASE("a too large message is refused by size before it is read") {
    CHECK(judged(Octets(max_signed_bundle + 1)).rule == "size");
}

TEST_CASE("a key that is not pinned is refused by key") {
    const Signer stranger;
    CHECK(judged(stranger.message({}, bundle)).rule == "key");
}

TEST_CASE("an algorithm that is not pinned with the key is refused by key") {
    const Octets header = encode([](cbor::Writer& w) { w.map(2), w.uint(1), w.nint(-7), w.uint(4), w.bytes(signer.pinned().kid); });
    CHECK(judged(Signer::pair(signer.envelope(ReleaseFields{}.encoded(bundle), header), bundle)).rule == "key");
}

TEST_CASE("a stranger's signature under a pinned key id is refused by signature") {
    const Signer stranger;
    const Octets header = encode([](cbor::Writer& w) { w.map(2), w.uint(1), w.nint(-8), w.uint(4), w.bytes(signer.pinned().kid); });
    CHECK(judged(Signer::pair(stranger.envelope(ReleaseFields{}.encoded(bundle), header), bundle)).rule == "signature");
}

TEST_CASE("a signature made for another protocol is refused by signature") {
    const Octets envelope = signer.envelope(ReleaseFields{}.encoded(bundle), {}, "unibpf.v1.control");
    CHECK(judged(Signer::pair(envelope, bundle)).rule == "signature");
}

TEST_CASE("a signed payload that is no release is refused by payload") {
    const auto refused = [](const Octets& payload) { return judged(Signer::pair(signer.envelope(payload), bundle)).rule == "payload"; };
    const Octets good = ReleaseFields{}.encoded(bundle);
    SUBCASE("nothing") { CHECK(refused({})); }
    SUBCASE("another version") { CHECK(rule_of({.version = 2}) == "payload"); }
    SUBCASE("an unknown kind") { CHECK(rule_of({.kind = 4}) == "payload"); }
    SUBCASE("sequence zero") { CHECK(rule_of({.sequence = 0}) == "payload"); }
    SUBCASE("a sequence above 2^63 - 1") { CHECK(rule_of({.sequence = 1ull << 63}) == "payload"); }
    SUBCASE("a program name with a capital") { CHECK(rule_of({.program = "Firewall"}) == "payload"); }
    SUBCASE("an empty audience") { CHECK(rule_of({.audience = ""}) == "payload"); }
    SUBCASE("an empty element") { CHECK(rule_of({.element = ""}) == "payload"); }
    SUBCASE("a digest of 31 bytes") { CHECK(rule_of({.digest = Octets(31)}) == "payload"); }
    SUBCASE("length zero") { CHECK(rule_of({.length = 0}) == "payload"); }
    SUBCASE("map policies out of order") { CHECK(rule_of({.maps = {{"b", 0}, {"a", 0}}}) == "payload"); }
    SUBCASE("a map named twice") { CHECK(rule_of({.maps = {{"a", 0}, {"a", 2}}}) == "payload"); }
    SUBCASE("an unknown map policy") { CHECK(rule_of({.maps = {{"a", 3}}}) == "payload"); }
    SUBCASE("bytes past the end") {
        Octets longer = good;
        longer.push_back(0);
        CHECK(refused(longer));
    }
    SUBCASE("a number in a longer form than needed") {
        Octets longer = good;
        longer[2] = 0x18;  // version 1 as 18 01
        longer.insert(longer.begin() + 3, 1);
        CHECK(refused(longer));
    }
    SUBCASE("a missing key") {
        CHECK(refused(encode([](cbor::Writer& w) { w.map(1), w.uint(0), w.uint(1); })));
    }
    SUBCASE("a key twice") {
        CHECK(refused(encode([](cbor::Writer& w) { w.map(2), w.uint(0), w.uint(1), w.uint(0), w.uint(1); })));
    }
}

TEST_CASE("each release meant for something else is refused by its rule") {
    Target target = firewall();
    CHECK(rule_of({.audience = "core"}) == "audience");
    CHECK(rule_of({.element = "nat"}) == "other-element");
    CHECK(rule_of({.kind = 2}) == "kind");
    CHECK(rule_of({.kind = 3}) == "kind");
    CHECK(rule_of({.program = "nat"}) == "program");
    target.exists = false;
    CHECK(rule_of({}, target) == "element");
}

TEST_CASE("a sequence must be above the floor and above what is staged") {
    Target target = firewall();
    CHECK(rule_of({.sequence = 6}, target) == "");
    CHECK(rule_of({.sequence = 5}, target) == "sequence");
    CHECK(rule_of({.sequence = 1}, target) == "sequence");
    target.staged = Installed{8, {}, true};
    CHECK(rule_of({.sequence = 7}, target) == "sequence");
    CHECK(rule_of({.sequence = 8}, target) == "sequence");
    CHECK(rule_of({.sequence = 9}, target) == "");
    CHECK(judged(signer.message({.sequence = 7}, bundle), target).value == 8);
}

TEST_CASE("what a stranger staged stands in nobody's way who holds the key") {
    Target target = firewall();
    target.staged = Installed{9, {}, false};
    CHECK(rule_of({.sequence = 6}, target) == "");
    CHECK(rule_of({.sequence = 5}, target) == "sequence");  // the floor holds for everybody
    target.keyed = false;
    CHECK(rule_of({.sequence = 9}, target) == "sequence");
    CHECK(rule_of({.sequence = 10}, target) == "");
}

TEST_CASE("what was staged with the key is not replaced without it") {
    Target target = firewall();
    target.staged = Installed{6, {}, true};
    target.keyed = false;
    CHECK(rule_of({.sequence = 7}, target) == "mac");
    target.staged = Installed{7, digest_of({}), true};
    CHECK(judged(signer.message({}, bundle), target).standing == Standing::already_staged);
}

TEST_CASE("the same release again is no replay") {
    Target target = firewall();
    target.staged = Installed{7, digest_of({})};
    CHECK(judged(signer.message({}, bundle), target).standing == Standing::already_staged);
    target.staged.reset();
    target.active = Installed{7, digest_of({})};
    target.floor = 7;
    CHECK(judged(signer.message({}, bundle), target).standing == Standing::already_active);
    CHECK(rule_of({.element = "fw"}, target) == "sequence");  // same number, another envelope
}

TEST_CASE("a release says how it is to be watched, within bounds") {
    Release release;
    REQUIRE(parse_release(ReleaseFields{}.encoded(bundle), release).ok());
    CHECK_FALSE(release.probation.has_value());
    const Octets payload = ReleaseFields{.probation = {60'000, 1000, 100, 1}}.encoded(bundle);
    REQUIRE(parse_release(payload, release).ok());
    REQUIRE(release.probation.has_value());
    CHECK(release.probation->ns == 60'000'000'000);
    CHECK(release.probation->packets == 1000);
    CHECK(release.probation->share == 100);
    CHECK(release.probation->counts_aborted);
    const std::vector<std::uint64_t> wrong[] = {
        {0, 1, 1, 0},
        {3'600'001, 1, 1, 0},
        {1, 0, 1, 0},
        {1, 1'000'001, 1, 0},
        {1, 1, 0, 0},
        {1, 1, 1'000'001, 0},
        {1, 1, 1, 2},
        {1, 1, 1},
        {1, 1, 1, 0, 0},
    };
    for (const auto& numbers : wrong) CHECK(rule_of({.probation = numbers}) == "payload");
}

TEST_CASE("a precursor must be what is active") {
    const Octets digest = octets(Bytes{digest_of({.sequence = 5})});
    Target target = firewall();
    CHECK(rule_of({.precursor = digest}, target) == "precursor");
    target.active = Installed{5, digest_of({.sequence = 5})};
    CHECK(rule_of({.precursor = digest}, target) == "");
    target.active = Installed{5, digest_of({.sequence = 4})};
    CHECK(rule_of({.precursor = digest}, target) == "precursor");
}

TEST_CASE("an expired release is refused where there is a clock") {
    const Octets message = signer.message({.not_after = 1000}, bundle);
    CHECK(judged(message, firewall(), 1000).rule == "");
    CHECK(judged(message, firewall(), 1001).rule == "not-after");
    CHECK(judged(message, firewall(), std::nullopt).rule == "");
}

TEST_CASE("the bundle must have the signed length and digest") {
    CHECK(rule_of({.length = bundle.size() + 1}) == "bundle-length");
    CHECK(rule_of({.digest = Octets(32)}) == "bundle-digest");
}

TEST_CASE("another program interface is refused by abi") { CHECK(rule_of({.abi = 2}) == "abi"); }

TEST_CASE("the first check that fails is the one that is named") {
    // wrong in everything after the audience
    CHECK(rule_of({.kind = 1, .sequence = 1, .abi = 2, .program = "nat", .element = "nat", .audience = "core", .length = 1}) == "audience");
    CHECK(rule_of({.sequence = 1, .abi = 2, .length = 1}) == "sequence");
    CHECK(rule_of({.abi = 2, .length = 1}) == "bundle-length");
}
