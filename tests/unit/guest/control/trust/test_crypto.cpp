#include <doctest/doctest.h>

#include "guest/control/trust/crypto.hpp"
#include "tests/unit/guest/control/support.hpp"

using namespace unibpf;
using namespace unibpf::test;

TEST_CASE("SHA-256 of abc is FIPS 180-2's") {
    CHECK(octets(Bytes{crypto::sha256(octets("abc"))}) == from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

TEST_CASE("HMAC over parts is RFC 4231's test case 2 over the whole") {
    const Octets key = octets("Jefe"), first = octets("what do ya want "), second = octets("for nothing?");
    CHECK(octets(Bytes{crypto::hmac_sha256(key, {first, second})}) ==
          from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST_CASE("HKDF gives RFC 5869's test case 1") {
    const Digest key = crypto::hkdf_extract(from_hex("000102030405060708090a0b0c"), Octets(22, 0x0b));
    CHECK(octets(Bytes{key}) == from_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
    Octets out(42);
    crypto::hkdf_expand(key, from_hex("f0f1f2f3f4f5f6f7f8f9"), out);
    CHECK(out == from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
}

TEST_CASE("Ed25519 accepts RFC 8032's test 3 and nothing near it") {
    const Octets key = from_hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    const Octets message = from_hex("af82");
    Octets signature = from_hex(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
    CHECK(crypto::verify_ed25519(key, message, signature));
    CHECK_FALSE(crypto::verify_ed25519(key, from_hex("af83"), signature));
    CHECK_FALSE(crypto::verify_ed25519(Octets(31), message, signature));
    signature[63] |= 0x10;  // S + something above the group order
    CHECK_FALSE(crypto::verify_ed25519(key, message, signature));
}

TEST_CASE("Ed25519 refuses a key of small order, for which any message would verify") {
    Octets key(32), signature(64);
    key[0] = signature[0] = 1;  // the neutral element as key and R, S = 0
    CHECK_FALSE(crypto::verify_ed25519(key, octets("anything"), signature));
}

TEST_CASE("ES256 accepts RFC 6979's P-256 signature of sample and nothing near it") {
    const Octets key = from_hex(
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    Octets signature = from_hex(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    CHECK(crypto::verify_es256(key, octets("sample"), signature));
    CHECK_FALSE(crypto::verify_es256(key, octets("Sample"), signature));
    CHECK_FALSE(crypto::verify_es256(Octets(64), octets("sample"), signature));
    signature[10] ^= 1;
    CHECK_FALSE(crypto::verify_es256(key, octets("sample"), signature));
}

TEST_CASE("secrets are equal only if every byte and the length are") {
    const Octets one{1, 2, 3};
    CHECK(crypto::equal_secret(one, Octets{1, 2, 3}));
    CHECK_FALSE(crypto::equal_secret(one, Octets{1, 2, 4}));
    CHECK_FALSE(crypto::equal_secret(one, Octets{1, 2}));
}
