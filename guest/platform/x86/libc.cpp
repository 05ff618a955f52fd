// The C functions that compilers emit calls to and that BearSSL and libsodium link against. No others exist in the image.
//
// The attribute keeps the compiler from turning a loop here into a call of the function it is in.
#include <cstddef>
#include <cstdint>

#include "guest/platform/platform.hpp"

#ifdef __clang__
#define UNIBPF_LIBC extern "C" __attribute__((no_builtin, used))
#else
#define UNIBPF_LIBC extern "C" __attribute__((optimize("no-tree-loop-distribute-patterns"), used))
#endif

namespace {
// Sixteen bytes at any address: what one SSE move takes.
typedef long long Chunk __attribute__((vector_size(16), aligned(1), may_alias));
}  // namespace

UNIBPF_LIBC void* memcpy(void* to, const void* from, std::size_t n) {
    auto* t = static_cast<std::uint8_t*>(to);
    const auto* f = static_cast<const std::uint8_t*>(from);
    for (; n >= 16; n -= 16, t += 16, f += 16) *reinterpret_cast<Chunk*>(t) = *reinterpret_cast<const Chunk*>(f);
    for (; n > 0; --n) *t++ = *f++;
    return to;
}

UNIBPF_LIBC void* memmove(void* to, const void* from, std::size_t n) {
    auto* t = static_cast<std::uint8_t*>(to);
    const auto* f = static_cast<const std::uint8_t*>(from);
    if (t <= f || t >= f + n) return memcpy(to, from, n);  // upwards is safe: what is read lies ahead of what is written
    for (; n >= 16; n -= 16) *reinterpret_cast<Chunk*>(t + n - 16) = *reinterpret_cast<const Chunk*>(f + n - 16);
    for (; n > 0; --n) t[n - 1] = f[n - 1];
    return to;
}

UNIBPF_LIBC void* memset(void* to, int value, std::size_t n) {
    auto* t = static_cast<std::uint8_t*>(to);
    const auto byte = static_cast<std::uint8_t>(value);
    const auto eight = static_cast<long long>(0x0101'0101'0101'0101ull * byte);
    for (; n >= 16; n -= 16, t += 16) *reinterpret_cast<Chunk*>(t) = Chunk{eight, eight};
    for (; n > 0; --n) *t++ = byte;
    return to;
}

UNIBPF_LIBC int memcmp(const void* a, const void* b, std::size_t n) {
    const auto* x = static_cast<const std::uint8_t*>(a);
    const auto* y = static_cast<const std::uint8_t*>(b);
    for (; n > 0; --n, ++x, ++y)
        if (*x != *y) return *x < *y ? -1 : 1;
    return 0;
}

UNIBPF_LIBC std::size_t strlen(const char* text) {
    std::size_t n = 0;
    while (text[n] != '\0') ++n;
    return n;
}

UNIBPF_LIBC void* memchr(const void* bytes, int value, std::size_t n) {
    auto* at = static_cast<const std::uint8_t*>(bytes);
    for (; n > 0; --n, ++at)
        if (*at == static_cast<std::uint8_t>(value)) return const_cast<std::uint8_t*>(at);
    return nullptr;
}

// glibc's checked forms, which Debian's static libraries were compiled to (_FORTIFY_SOURCE).
UNIBPF_LIBC void* __memcpy_chk(void* to, const void* from, std::size_t n, std::size_t room) {
    if (n > room) unibpf::platform::panic("libc: memcpy overflow");
    return memcpy(to, from, n);
}
UNIBPF_LIBC void* __memmove_chk(void* to, const void* from, std::size_t n, std::size_t room) {
    if (n > room) unibpf::platform::panic("libc: memmove overflow");
    return memmove(to, from, n);
}
UNIBPF_LIBC void* __memset_chk(void* to, int value, std::size_t n, std::size_t room) {
    if (n > room) unibpf::platform::panic("libc: memset overflow");
    return memset(to, value, n);
}
UNIBPF_LIBC void __stack_chk_fail() { unibpf::platform::panic("libc: stack smashed"); }
UNIBPF_LIBC void abort() { unibpf::platform::panic("libc: abort"); }

// Itanium C++ ABI: what virtual calls and static objects may refer to. Statics live as long as the guest.
UNIBPF_LIBC void __cxa_pure_virtual() { unibpf::platform::panic("pure virtual call"); }
UNIBPF_LIBC int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
UNIBPF_LIBC int atexit(void (*)()) { return 0; }
extern "C" {
void* __dso_handle = nullptr;
}

// Virtual destructors refer to operator delete; nothing in the guest calls it (core/heap.hpp owns objects).
void operator delete(void*) noexcept { unibpf::platform::panic("operator delete called"); }
void operator delete(void*, std::size_t) noexcept { unibpf::platform::panic("operator delete called"); }

// What libstdc++'s headers call where a hosted program would throw: std::string_view::substr past its end, and the like.
namespace std {
[[noreturn]] void __glibcxx_assert_fail(const char*, int, const char*, const char*) noexcept { unibpf::platform::panic("libstdc++: assertion"); }
void __throw_out_of_range_fmt(const char*, ...) { unibpf::platform::panic("libstdc++: out of range"); }
void __throw_bad_optional_access() { unibpf::platform::panic("libstdc++: empty optional"); }
}  // namespace std
