#include "guest/control/trust/crypto.hpp"

#include <bearssl.h>
#include <sodium/crypto_sign_ed25519.h>

#include <algorithm>

namespace unibpf::crypto {

namespace {

constexpr std::size_t signature_length = 64;
constexpr std::size_t ed25519_key_length = 32;
constexpr std::size_t p256_point_length = 65;

template <typename T>
void wipe_object(T& object) {
    wipe({reinterpret_cast<std::uint8_t*>(&object), sizeof object});  // sound: bytes of any object may be written as unsigned char
}

}  // namespace

void wipe(std::span<std::uint8_t> bytes) {
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{0});
    asm volatile("" : : "r"(bytes.data()) : "memory");
}

Digest sha256(Bytes data) {
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, data.data(), data.size());
    Digest digest;
    br_sha256_out(&context, digest.data());
    return digest;
}

Digest hmac_sha256(Bytes key, std::initializer_list<Bytes> parts) {
    br_hmac_key_context key_context;
    br_hmac_key_init(&key_context, &br_sha256_vtable, key.data(), key.size());
    br_hmac_context context;
    br_hmac_init(&context, &key_context, 0);
    for (const Bytes part : parts) br_hmac_update(&context, part.data(), part.size());
    Digest tag;
    br_hmac_out(&context, tag.data());
    wipe_object(key_context);
    wipe_object(context);
    return tag;
}

Digest hkdf_extract(Bytes salt, Bytes input_key) { return hmac_sha256(salt, {input_key}); }

void hkdf_expand(const Digest& pseudorandom_key, Bytes info, std::span<std::uint8_t> out) {
    Digest block{};
    Bytes previous;  // T(0) is empty
    std::uint8_t counter = 1;
    while (!out.empty()) {
        block = hmac_sha256(pseudorandom_key, {previous, info, Bytes{&counter, 1}});
        const std::size_t taken = std::min(out.size(), block.size());
        std::copy_n(block.begin(), taken, out.begin());
        out = out.subspan(taken);
        previous = block;
        ++counter;
    }
    wipe(block);
}

bool verify_ed25519(Bytes key, Bytes message, Bytes signature) {
    if (key.size() != ed25519_key_length || signature.size() != signature_length) return false;
    return crypto_sign_ed25519_verify_detached(signature.data(), message.data(), message.size(), key.data()) == 0;
}

bool verify_es256(Bytes key, Bytes message, Bytes signature) {
    if (key.size() != p256_point_length || signature.size() != signature_length) return false;
    const Digest hash = sha256(message);
    // BearSSL's key type has no const; the verification only reads it.
    const br_ec_public_key public_key{BR_EC_secp256r1, const_cast<std::uint8_t*>(key.data()), key.size()};
    return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, hash.data(), hash.size(), &public_key, signature.data(),
                                 signature.size()) == 1;
}

bool equal_secret(Bytes left, Bytes right) {
    if (left.size() != right.size()) return false;
    std::uint8_t difference = 0;
    for (std::size_t i = 0; i < left.size(); ++i) difference |= left[i] ^ right[i];
    // The compiler may not see through this and leave the loop early.
    asm volatile("" : "+r"(difference));
    return difference == 0;
}

bool verify(const PinnedKey& key, Bytes message, Bytes signature) {
    switch (key.algorithm) {
        case Algorithm::eddsa: return verify_ed25519(key.key, message, signature);
        case Algorithm::es256: return verify_es256(key.key, message, signature);
    }
    return false;
}

}  // namespace unibpf::crypto
