// The host's envelopes (schemas/golden/envelope.txt), read by the guest.
#include <doctest/doctest.h>

#include <string>

#include "guest/control/trust/envelope.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

// Good sections by name; those that begin with "bad " hold an envelope and the rule that must refuse it.
const auto all = read_golden("envelope.txt");

bool is_bad(const std::string& name) { return name.starts_with("bad "); }

const auto golden = [] {
    auto good = all;
    std::erase_if(good, [](const auto& entry) { return is_bad(entry.first); });
    return good;
}();

// A section's pinned key; the bytes stay with it.
struct Pinned {
    explicit Pinned(const Section& section) : raw{from_hex(section.at("key"))} {
        key.key = raw;
        key.algorithm = static_cast<Algorithm>(std::stoi(section.at("alg")));
        const Octets kid = from_hex(section.at("kid"));
        std::copy(kid.begin(), kid.end(), key.kid.begin());
    }
    Octets raw;
    PinnedKey key;
};

}  // namespace

TEST_CASE("the golden envelopes hold one of each algorithm") {
    bool eddsa = false, es256 = false;
    for (const auto& [name, section] : golden) {
        eddsa = eddsa || section.at("alg") == "-8";
        es256 = es256 || section.at("alg") == "-7";
    }
    CHECK(eddsa);
    CHECK(es256);
}

TEST_CASE("every golden envelope verifies and reads as it says") {
    for (const auto& [name, section] : golden) {
        CAPTURE(name);
        const Octets bytes = from_hex(section.at("envelope"));
        const auto envelope = parse_envelope(bytes);
        REQUIRE(envelope);
        CHECK(octets(envelope.value().payload) == from_hex(section.at("payload")));
        const Pinned pinned{section};
        Octets scratch(max_envelope);
        CHECK(check_signature(envelope.value(), {&pinned.key, 1}, scratch));
        Release release;
        REQUIRE(parse_release(envelope.value().payload, release));
        CHECK(static_cast<int>(release.kind) == std::stoi(section.at("kind")));
        CHECK(release.program == section.at("program"));
        CHECK(release.element == section.at("element"));
        CHECK(release.sequence == std::stoull(section.at("sequence")));
        CHECK(release.audience == section.at("audience"));
        CHECK(octets(release.bundle_digest) == from_hex(section.at("bundle_digest")));
        CHECK(release.bundle_length == std::stoull(section.at("bundle_length")));
    }
}

TEST_CASE("a golden envelope changed in any single byte verifies no more") {
    for (const auto& [name, section] : golden) {
        CAPTURE(name);
        const Pinned pinned{section};
        const Octets good = from_hex(section.at("envelope"));
        Octets scratch(max_envelope);
        for (std::size_t at = 0; at < good.size(); ++at) {
            Octets changed = good;
            changed[at] ^= 1;
            const auto envelope = parse_envelope(changed);
            if (!envelope) continue;
            CAPTURE(at);
            REQUIRE_FALSE(check_signature(envelope.value(), {&pinned.key, 1}, scratch));
        }
    }
}

TEST_CASE("every bad golden envelope is refused by the rule that the host names") {
    const Pinned pinned{golden.at("small")};
    int seen = 0;
    for (const auto& [name, section] : all) {
        if (!is_bad(name)) continue;
        ++seen;
        CAPTURE(name);
        const Octets bytes = from_hex(section.at("envelope"));
        const Trust trust{{&pinned.key, 1}, "edge", {}};
        Target target;
        target.exists = true;
        Octets scratch(max_envelope);
        Steps steps;
        Judgement judgement;
        const Status status = judge(SignedBundle{bytes, {}}, trust, target, scratch, steps, judgement);
        REQUIRE_FALSE(status);
        CHECK(std::string{status.error().rule} == section.at("rule"));
    }
    CHECK(seen > 5);
}
