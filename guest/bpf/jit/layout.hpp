// Code layout: straight code with gaps for jumps -> code with jumps, each as short as it may be.
//
// How far a jump goes is known only when all code is. So code is written once, as a draft: each jump is a gap as wide as its
// longest form, with a note of where it goes (a fixup), and each place that jumps go to is marked. Then the sizes of all jumps are
// chosen at once, and the draft is copied to its pages, piece by piece, with the jumps between the pieces. A distance in the draft
// is the longest that it can come to be: what is near there is near in the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace unibpf::jit {

// A place that jumps go to, by its number in Draft::marks.
using Label = std::uint32_t;

struct Mark {
    std::uint32_t offset;  // in the draft
    std::uint32_t fixups;  // before it
};

// A fixup's kind is the first byte of its shortest form.
enum class FixupKind : std::uint8_t {
    jump_if = 0x70,  // and a Flag
    align = 0x90,    // nothing but bytes that do nothing, up to a multiple of loop_alignment
    call = 0xe8,
    jump = 0xeb,
};
inline constexpr std::uint32_t loop_alignment = 32;  // of what the CPU fetches at once

struct Fixup {
    std::uint32_t at;      // in the draft, where its gap begins
    Label to;              // nowhere for `align`
    std::uint32_t closed;  // bytes that gaps before it are narrower in the end
    std::uint8_t kind;     // FixupKind, jump_if with its flag
    std::uint8_t size;     // in the end

    bool is(FixupKind other) const { return kind == static_cast<std::uint8_t>(other); }
    // The width of its gap: the longest form.
    std::uint32_t gap() const {
        return is(FixupKind::align)                         ? loop_alignment - 1
               : is(FixupKind::call) || is(FixupKind::jump) ? 5
                                                            : 6;
    }
};

struct Draft {
    std::span<std::byte> bytes;  // the last draft_slack are spare: pieces are written and copied in more bytes than they have
    std::span<Fixup> fixups;
    std::span<Mark> marks;
};
inline constexpr std::size_t draft_slack = 16;

class Layout {
  public:
    // `size` bytes and `fixups` fixups of a complete draft, which outlives it. Chooses the size of each fixup.
    Layout(const Draft& draft, std::size_t size, std::size_t fixups);

    std::size_t size() const { return size_ - closed_; }
    std::size_t offset_of(Label label) const { return offset_of(marks_[label]); }
    // To size() bytes or more, which are aligned to loop_alignment. False: a distance is not what it was chosen by.
    [[nodiscard]] bool write(std::span<std::byte> out) const;

  private:
    std::uint8_t size_of(const Fixup& fixup) const;
    std::size_t offset_of(const Mark& mark) const { return mark.offset - (mark.fixups < fixups_.size() ? fixups_[mark.fixups].closed : closed_); }

    std::span<const std::byte> bytes_;
    std::span<Fixup> fixups_;
    std::span<const Mark> marks_;
    std::size_t size_;
    std::uint32_t closed_ = 0;  // by all gaps
};

// Bytes that do nothing, in as few instructions as there are (SDM: NOP, recommended multi-byte sequences).
void write_no_operation(std::byte* out, std::size_t bytes);

}  // namespace unibpf::jit
