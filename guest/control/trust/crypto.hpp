// Every cryptographic function the guest uses, on one page; crypto.cpp alone sees libsodium and BearSSL.
//
// All functions are pure: no state, no allocation, no random numbers (the guest only verifies). None of the inputs is secret
// but the MAC keys and the seed; tags are compared in constant time, and what was computed from keys on the way is overwritten.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "guest/control/boot.hpp"

namespace unibpf::crypto {

// Overwrites what is secret and not needed any more; no compiler leaves it out.
void wipe(std::span<std::uint8_t> bytes);

Digest sha256(Bytes data);

// HMAC-SHA-256 (RFC 2104) over the parts one after another.
Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts);

// HKDF with SHA-256 (RFC 5869 2.2, 2.3). `out` is at most 255 * 32 bytes.
Digest hkdf_extract(Bytes salt, Bytes input_key);
void hkdf_expand(const Digest& pseudorandom_key, Bytes info, std::span<std::uint8_t> out);

// HKDF for several outputs; the key between them is gone with it.
class Hkdf {
  public:
    Hkdf(Bytes salt, Bytes input_key) : key_{hkdf_extract(salt, input_key)} {}
    ~Hkdf() { wipe(key_); }
    Hkdf(const Hkdf&) = delete;
    Hkdf& operator=(const Hkdf&) = delete;
    void expand(Bytes info, std::span<std::uint8_t> out) const { hkdf_expand(key_, info, out); }

  private:
    Digest key_;
};

// Ed25519 (RFC 8032), strict: small-order keys and non-canonical S are refused. Key 32 bytes, signature 64.
bool verify_ed25519(Bytes key, Bytes message, Bytes signature);

// ECDSA on P-256 with SHA-256. Key 65 bytes (04 || X || Y), signature 64 (r || s).
bool verify_es256(Bytes key, Bytes message, Bytes signature);

// Equality of two secrets of the same length in time that depends on the length only.
bool equal_secret(Bytes left, Bytes right);

// The algorithm is the pinned key's: the key says how it is used, never the message.
bool verify(const PinnedKey& key, Bytes message, Bytes signature);

}  // namespace unibpf::crypto
