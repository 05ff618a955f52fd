// Fields of headers: big-endian numbers at any address, and what all header views share.
//
// A view is a pointer into bytes of somebody else. Every protocol's file has one order: its fields, `check`, get and set. `check`
// looks at no more than it must to promise that the header's fixed fields lie inside the bytes; only a view that is true may be
// used. A view of const bytes has no setters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace unibpf::wire {

inline std::uint16_t load16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
inline std::uint32_t load32(const std::uint8_t* at) { return std::uint32_t{load16(at)} << 16 | load16(at + 2); }
inline void store16(std::uint8_t* at, std::uint16_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
inline void store32(std::uint8_t* at, std::uint32_t value) {
    store16(at, static_cast<std::uint16_t>(value >> 16));
    store16(at + 2, static_cast<std::uint16_t>(value));
}
inline void swap_bytes(std::uint8_t* a, std::uint8_t* b, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

template <typename Byte>
class Fields {
  public:
    explicit operator bool() const { return bytes_.data() != nullptr; }
    // All that `check` was given, from the header's first byte on.
    std::span<Byte> bytes() const { return bytes_; }

  protected:
    static constexpr bool writable = !std::is_const_v<Byte>;

    Fields() = default;
    explicit Fields(std::span<Byte> bytes) : bytes_{bytes} {}

    Byte* at(std::size_t offset) const { return bytes_.data() + offset; }
    std::uint8_t get8(std::size_t offset) const { return bytes_.data()[offset]; }
    std::uint16_t get16(std::size_t offset) const { return load16(at(offset)); }
    std::uint32_t get32(std::size_t offset) const { return load32(at(offset)); }
    template <std::size_t Count>
    std::span<Byte, Count> field(std::size_t offset) const { return std::span<Byte, Count>{at(offset), Count}; }
    // What follows the first `count` bytes.
    std::span<Byte> after(std::size_t count) const { return {at(count), bytes_.size() - count}; }

  private:
    std::span<Byte> bytes_;
};

// `view<Ipv4>(bytes)`: a view of bytes that may be changed has setters, one of const bytes has none.
template <template <typename> class Header, typename Bytes>
auto view(Bytes&& bytes) {
    const std::span all{bytes};
    using Byte = typename decltype(all)::element_type;
    return Header<Byte>::check(std::span<Byte>{all});
}

}  // namespace unibpf::wire
