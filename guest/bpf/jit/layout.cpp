#include "guest/bpf/jit/layout.hpp"

#include <algorithm>
#include <cstring>

namespace unibpf::jit {
namespace {

constexpr std::uint8_t short_form = 2;  // opcode and 8-bit distance

// Copies up to draft_slack bytes too many, if both have them: pieces are short, and a call costs as much as copying one.
void copy_piece(std::byte* out, const std::byte* from, std::size_t size, bool spare) {
    if (!spare) {
        std::memcpy(out, from, size);
        return;
    }
    for (std::size_t i = 0; i < size; i += draft_slack) std::memcpy(out + i, from + i, draft_slack);
}

// The jump's bytes, lowest first; those after its size do not count.
std::uint64_t encoded(const Fixup& fixup, std::uint32_t distance) {
    if (fixup.size == short_form) return fixup.kind | distance << 8;
    if (fixup.is(FixupKind::call)) return fixup.kind | std::uint64_t{distance} << 8;
    if (fixup.is(FixupKind::jump)) return 0xe9 | std::uint64_t{distance} << 8;
    return 0x0f | (fixup.kind + 0x10U) << 8 | std::uint64_t{distance} << 16;  // 0F 80 + flag
}

}  // namespace

Layout::Layout(const Draft& draft, std::size_t size, std::size_t fixups)
    : bytes_{draft.bytes}, fixups_{draft.fixups.first(fixups)}, marks_{draft.marks}, size_{size} {
    for (Fixup& fixup : fixups_) {
        fixup.closed = closed_;
        fixup.size = size_of(fixup);
        closed_ += fixup.gap() - fixup.size;
    }
}

std::uint8_t Layout::size_of(const Fixup& fixup) const {
    if (fixup.is(FixupKind::call)) return static_cast<std::uint8_t>(fixup.gap());
    if (fixup.is(FixupKind::align)) return static_cast<std::uint8_t>(-(fixup.at - fixup.closed) % loop_alignment);
    const std::int64_t to = marks_[fixup.to].offset;
    const bool near = to > fixup.at ? to - (fixup.at + fixup.gap()) <= INT8_MAX : to - (fixup.at + short_form) >= INT8_MIN;
    return near ? short_form : static_cast<std::uint8_t>(fixup.gap());
}

bool Layout::write(std::span<std::byte> out) const {
    std::size_t from = 0;
    bool reached = true;
    for (const Fixup& fixup : fixups_) {
        const std::size_t at = fixup.at - fixup.closed, piece = fixup.at - from;
        const bool spare = at + draft_slack <= out.size();
        copy_piece(&out[at - piece], &bytes_[from], piece, spare);
        from = fixup.at + fixup.gap();
        if (fixup.is(FixupKind::align)) {
            write_no_operation(&out[at], fixup.size);
            continue;
        }
        const std::int64_t distance = static_cast<std::int64_t>(offset_of(fixup.to)) - static_cast<std::int64_t>(at + fixup.size);
        const std::uint64_t jump = encoded(fixup, static_cast<std::uint32_t>(distance));
        if (spare) std::memcpy(&out[at], &jump, sizeof jump);
        else std::memcpy(&out[at], &jump, fixup.size);
        reached &= fixup.size != short_form || distance == static_cast<std::int8_t>(distance);
    }
    copy_piece(&out[from - closed_], &bytes_[from], size_ - from, false);
    return reached;
}

void write_no_operation(std::byte* out, std::size_t bytes) {
    constexpr std::size_t most = 9;
    static constexpr std::uint8_t forms[most][most] = {
        {0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00}, {0x0f, 0x1f, 0x40, 0}, {0x0f, 0x1f, 0x44, 0, 0}, {0x66, 0x0f, 0x1f, 0x44, 0, 0}, {0x0f, 0x1f, 0x80, 0, 0, 0, 0}, {0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}, {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}};
    while (bytes > 0) {
        const std::size_t now = std::min(bytes, most);
        std::memcpy(out, forms[now - 1], now);
        out += now;
        bytes -= now;
    }
}

}  // namespace unibpf::jit
