// What libsodium's Ed25519 verification needs of libsodium's utils.c and randombytes.c, which would otherwise bring mmap,
// threads and /dev/urandom into the image. Same meaning as in libsodium's manual; the guest never asks it for random numbers.
#include <cstddef>

#include "guest/platform/platform.hpp"

extern "C" {

void sodium_memzero(void* bytes, std::size_t n) {
    auto* at = static_cast<volatile unsigned char*>(bytes);
    while (n-- > 0) *at++ = 0;
}

// Constant time: 0 when equal, else -1.
int sodium_memcmp(const void* a, const void* b, std::size_t n) {
    const auto* x = static_cast<const volatile unsigned char*>(a);
    const auto* y = static_cast<const volatile unsigned char*>(b);
    unsigned difference = 0;
    while (n-- > 0) difference |= static_cast<unsigned>(*x++ ^ *y++);
    return difference == 0 ? 0 : -1;
}

// Constant time: 1 when every byte is zero.
int sodium_is_zero(const unsigned char* bytes, std::size_t n) {
    const auto* at = static_cast<const volatile unsigned char*>(bytes);
    unsigned all = 0;
    while (n-- > 0) all |= *at++;
    return all == 0 ? 1 : 0;
}

[[noreturn]] void sodium_misuse() { unibpf::platform::panic("libsodium: misuse"); }
void randombytes_buf(void*, std::size_t) { unibpf::platform::panic("libsodium: random numbers asked for"); }

}  // extern "C"
