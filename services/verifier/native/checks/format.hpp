// The values of a format of bpf_snprintf, in order: what is printed of each?
#pragma once

#include <string_view>
#include <vector>

namespace unibpf::analyser {

enum class Printed : unsigned char {
    number,   // itself
    string,   // the text that it points to, up to a NUL byte
    address4,
    address6,  // the 4 or 16 bytes that it points to
};

// Up to the first conversion that is none (bpf-helpers(7), bpf_snprintf); guest/bpf/helpers/text_format.hpp has the grammar.
std::vector<Printed> printed_by(std::string_view format);

}  // namespace unibpf::analyser
