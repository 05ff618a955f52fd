#include "services/signer/native/input/cbor.hpp"

namespace unibpf::certificate {

std::uint64_t Cbor::head(unsigned wanted) {
    if (major() != wanted) malformed("an item is of another kind than the schema says");
    const unsigned info = bytes_[at_++] & 31;
    if (info < 24) return info;
    if (info > 27) malformed("an item has no definite length");
    const unsigned width = 1U << (info - 24);
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(width)) value = value << 8 | byte;
    const std::uint64_t least = width == 1 ? 24 : std::uint64_t{1} << (width * 4);
    if (value < least) malformed("a number is not in its shortest form");
    return value;
}

void Cbor::skip(unsigned depth) {
    if (depth == 0) malformed("items are nested too deep");
    switch (major()) {
        case 0: (void)head(0); return;
        case 1: (void)head(1); return;
        case 2: (void)bytes(); return;
        case 3: (void)text(); return;
        case 4:
            for (std::size_t left = array(); left > 0; --left) skip(depth - 1);
            return;
        case 5:
            for (std::size_t left = map(); left > 0; --left) skip(depth - 1), skip(depth - 1);
            return;
        default: malformed("an item is of a kind that bundles do not have");
    }
}

}  // namespace unibpf::certificate
