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

    NativeCode() = default;
    NativeCode(std::span<std::byte> pages, std::size_t size) : pages_{pages}, size_{size} {}
    NativeCode(NativeCode&& other) noexcept : pages_{std::exchange(other.pages_, {})}, size_{std::exchange(other.size_, 0)} {}
    NativeCode& operator=(NativeCode&& other) noexcept {
        std::swap(pages_, other.pages_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~NativeCode() { platform::code_release(pages_); }

    explicit operator bool() const { return !pages_.empty(); }
    std::span<const std::byte> code() const { return pages_.first(size_); }
    // Sound: the pages hold a function of this type at their start, and are executable since they were sealed.
    Entry entry() const { return reinterpret_cast<Entry>(reinterpret_cast<std::uintptr_t>(pages_.data())); }

  private:
    std::span<std::byte> pages_{};
    std::size_t size_ = 0;
};

}  // namespace unibpf
