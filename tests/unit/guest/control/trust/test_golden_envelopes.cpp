// schemas/golden/envelope.txt: the guest reads what Python wrote, field by field, and refuses every defect by its rule.
#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

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

Status judged(Bytes envelope, std::span<const PinnedKey> keys) {
    const Trust trust{keys, "edge", {}};
    Target target;
    target.exists = true;
    Octets scratch(max_envelope);
    Steps steps;
    Judgement judgement;
    return judge(SignedBundle{envelope, {}}, trust, target, scratch, steps, judgement);
}

}  // namespace

TEST_CASE("the golden envelopes hold one of each algorithm") {
    bool eddsa = false, es256 = false;
    for (const auto& [name, section] : golden) {
        eddsa = eddsa || section.at("alg") == "-8";
        es256 = es256 || section.at("alg") == "-7";
    }
    CHECK(eddsa);
    CHECK(es256);
    for (const char* name : {"small", "full", "graph", "es256"}) CHECK(golden.contains(name));
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
        CHECK(octets(Bytes{crypto::sha256(bytes)}) == from_hex(section.at("digest")));
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
    const Pinned small{golden.at("small")}, es256{golden.at("es256")};
    const std::vector<PinnedKey> keys{small.key, es256.key};
    int seen = 0;
    for (const auto& [name, section] : all) {
        if (!is_bad(name)) continue;
        ++seen;
        CAPTURE(name);
        const Octets bytes = from_hex(section.at("envelope"));
        for (const std::size_t pinned : {1u, 2u}) {
            CAPTURE(pinned);
            const Status status = judged(bytes, std::span{keys}.first(pinned));
            REQUIRE_FALSE(status);
            CHECK(std::string{status.error().rule} == section.at("rule"));
        }
    }
    CHECK(seen >= 25);
}
