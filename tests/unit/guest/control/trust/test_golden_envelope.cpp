// schemas/golden/envelope.txt: the guest reads what Python wrote, field by field, and refuses every defect by its rule.
#include <doctest/doctest.h>

#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

namespace {

const auto golden = read_golden("envelope.txt");

// The keys of the vectors, which own their bytes for as long as the program runs.
PinnedKey pinned(const std::string& name) {
    static std::map<std::string, Octets> bytes;
    const auto& section = golden.at(name);
    PinnedKey key;
    key.algorithm = static_cast<Algorithm>(std::stoi(section.at("alg")));
    key.key = bytes[name] = from_hex(section.at("key"));
    const Octets kid = from_hex(section.at("kid"));
    std::copy(kid.begin(), kid.end(), key.kid.begin());
    return key;
}

const std::vector<PinnedKey> keys{pinned("small"), pinned("es256")};

// Steps 2 to 4 of the checks.
Status read(Bytes bytes, Release& release) {
    Octets scratch(max_envelope);
    const Envelope envelope = TRY(parse_envelope(bytes));
    TRY(check_signature(envelope, keys, scratch));
    return parse_release(envelope.payload, release);
}

std::string decimal(std::uint64_t value) { return std::to_string(value); }

}  // namespace

TEST_CASE("every golden envelope is believed and shows its fields") {
    for (const std::string name : {"small", "full", "graph", "es256"}) {
        CAPTURE(name);
        const auto& section = golden.at(name);
        const Octets bytes = from_hex(section.at("envelope"));
        Release release;
        REQUIRE(read(bytes, release).ok());
        CHECK(decimal(static_cast<std::uint64_t>(release.kind)) == section.at("kind"));
        CHECK(std::string{release.program} == section.at("program"));
        CHECK(std::string{release.element} == section.at("element"));
        CHECK(std::string{release.audience} == section.at("audience"));
        CHECK(decimal(release.sequence) == section.at("sequence"));
        CHECK(decimal(release.bundle_length) == section.at("bundle_length"));
        CHECK(octets(release.bundle_digest) == from_hex(section.at("bundle_digest")));
        CHECK(octets(Bytes{crypto::sha256(bytes)}) == from_hex(section.at("digest")));
    }
}

TEST_CASE("every golden defect is refused by its rule") {
    std::size_t defects = 0;
    for (const auto& [name, section] : golden) {
        if (!section.contains("rule")) continue;
        CAPTURE(name);
        Release release;
        const Octets bytes = from_hex(section.at("envelope"));
        const Status status = read(bytes, release);
        REQUIRE_FALSE(status.ok());
        CHECK(std::string{status.error().rule} == section.at("rule"));
        ++defects;
    }
    CHECK(defects >= 25);
}
