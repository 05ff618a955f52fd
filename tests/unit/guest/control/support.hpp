// What the tests of the control channel share: bytes from hex, golden vectors, and a signer with keys of its own.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "guest/control/trust/crypto.hpp"
#include "guest/control/trust/envelope.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf::test {

using Octets = std::vector<std::uint8_t>;

inline Octets from_hex(const std::string& hex) {
    Octets out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    return out;
}
inline Octets octets(std::string_view text) { return {text.begin(), text.end()}; }
inline Octets octets(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Encodes by a function that writes into a Writer.
inline Octets encode(const std::function<void(cbor::Writer&)>& write) {
    Octets room(1 << 21);
    cbor::Writer writer{room};
    write(writer);
    return octets(writer.written());
}

// schemas/golden/*.txt: "[section]" and "name = value" lines.
using Section = std::map<std::string, std::string>;
inline std::map<std::string, Section> read_golden(const std::string& file) {
    std::ifstream in{std::string{SOURCE_ROOT} + "/schemas/golden/" + file};
    std::map<std::string, Section> sections;
    std::string section, line;
    while (std::getline(in, line)) {
        const auto equals = line.find(" =");
        if (line.starts_with("[")) {
            section = line.substr(1, line.find(']') - 1);
        } else if (equals != std::string::npos && !line.starts_with("#")) {
            sections[section][line.substr(0, equals)] = line.size() > equals + 3 ? line.substr(equals + 3) : "";
        }
    }
    return sections;
}

// The fields of a release, each of which a test may spoil.
struct ReleaseFields {
    std::uint64_t version = 1, kind = 0, sequence = 7, abi = 1;
    std::string program = "firewall", element = "*", audience = "edge";
    std::optional<Octets> digest = {};          // default: the bundle's
    std::optional<std::uint64_t> length = {};   // default: the bundle's
    std::optional<std::uint64_t> not_after = {};
    std::optional<Octets> precursor = {};
    std::vector<std::pair<std::string, std::uint64_t>> maps = {};
    std::vector<std::uint64_t> probation = {};  // empty: none

    Octets encoded(const Octets& bundle) const {
        return encode([&](cbor::Writer& w) {
            w.map(11 + (not_after ? 1 : 0) + (precursor ? 1 : 0) + (probation.empty() ? 0 : 1));
            w.uint(0), w.uint(version);
            w.uint(1), w.uint(kind);
            w.uint(2), w.text(program);
            w.uint(3), w.text(element);
            w.uint(4), w.uint(sequence);
            w.uint(5), w.text(audience);
            w.uint(6), w.bytes(digest ? *digest : octets(Bytes{crypto::sha256(bundle)}));
            w.uint(7), w.uint(length.value_or(bundle.size()));
            w.uint(8), w.uint(abi);
            if (not_after) w.uint(9), w.uint(*not_after);
            w.uint(10), w.array(4), w.text("unibpf"), w.text("1"), w.bytes(Octets(32)), w.bytes(Octets(32));
            w.uint(11), w.array(maps.size());
            for (const auto& [name, policy] : maps) w.array(2), w.text(name), w.uint(policy);
            if (precursor) w.uint(12), w.bytes(*precursor);
            if (!probation.empty()) {
                w.uint(13), w.array(probation.size());
                for (const std::uint64_t number : probation) w.uint(number);
            }
        });
    }
};

class Signer {
  public:
    Signer() {
        crypto_sign_ed25519_keypair(public_.data(), secret_.data());
        pinned_.key = public_;
        const Digest hash = crypto::sha256(public_);
        std::copy_n(hash.begin(), 8, pinned_.kid.begin());
    }
    Signer(const Signer&) = delete;
    const PinnedKey& pinned() const { return pinned_; }

    Octets sign(Bytes message) const {
        Octets signature(64);
        crypto_sign_ed25519_detached(signature.data(), nullptr, message.data(), message.size(), secret_.data());
        return signature;
    }

    // An envelope over `payload`; `header` and `label` default to the right ones.
    Octets envelope(const Octets& payload, std::optional<Octets> header = {}, std::string_view label = "unibpf.v1.envelope") const {
        const Octets protected_header = header ? *header : encode([&](cbor::Writer& w) {
            w.map(2), w.uint(1), w.nint(-8), w.uint(4), w.bytes(pinned_.kid);
        });
        const Octets signed_bytes = encode([&](cbor::Writer& w) {
            w.array(4), w.text("Signature1"), w.bytes(protected_header), w.bytes(octets(label)), w.bytes(payload);
        });
        return encode([&](cbor::Writer& w) {
            w.tag(18), w.array(4), w.bytes(protected_header), w.map(0), w.bytes(payload), w.bytes(sign(signed_bytes));
        });
    }
    Octets message(const ReleaseFields& fields, const Octets& bundle) const {
        return pair(envelope(fields.encoded(bundle)), bundle);
    }
    static Octets pair(const Octets& envelope, const Octets& bundle) {
        return encode([&](cbor::Writer& w) { w.array(2), w.bytes(envelope), w.bytes(bundle); });
    }

  private:
    std::array<std::uint8_t, 32> public_{};
    std::array<std::uint8_t, 64> secret_{};
    PinnedKey pinned_;
};

}  // namespace unibpf::test
