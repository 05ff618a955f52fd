// NativeCode: sealed pages with a program's machine code; gives them back when it dies (control stack).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "guest/platform/platform.hpp"

namespace unibpf {

namespace abi {
struct XdpMd;
}

class NativeCode {
  public:
    struct Ended {
        std::uint64_t r0;
        std::uint64_t stop;  // a Stop
    };
    using Entry = Ended (*)(abi::XdpMd*);  // the context of a MachineCore, whose other members it reaches from there
    // Runs the function that starts at instruction `function`, one frame below the core's `frame`.
    using Callback = Ended (*)(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4, abi::XdpMd*, std::uint64_t function);

    NativeCode() = default;
    NativeCode(std::span<std::byte> pages, std::size_t size, std::size_t callback) : pages_{pages}, size_{size}, callback_{callback} {}
    NativeCode(NativeCode&& other) noexcept
        : pages_{std::exchange(other.pages_, {})}, size_{std::exchange(other.size_, 0)}, callback_{std::exchange(other.callback_, 0)} {}
    NativeCode& operator=(NativeCode&& other) noexcept {
        std::swap(pages_, other.pages_);
        std::swap(size_, other.size_);
        std::swap(callback_, other.callback_);
        return *this;
    }
    ~NativeCode() { platform::code_release(pages_); }

    explicit operator bool() const { return !pages_.empty(); }
    std::span<std::byte> pages() const { return pages_; }
    std::span<const std::byte> code() const { return pages_.first(size_); }
    // Sound: the pages hold functions of these types there, and are executable since they were sealed.
    Entry entry() const { return reinterpret_cast<Entry>(reinterpret_cast<std::uintptr_t>(pages_.data())); }
    Callback callback() const { return reinterpret_cast<Callback>(reinterpret_cast<std::uintptr_t>(pages_.data()) + callback_); }

  private:
    std::span<std::byte> pages_{};
    std::size_t size_ = 0;
    std::size_t callback_ = 0;  // offset
};

}  // namespace unibpf
