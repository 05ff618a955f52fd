#include "guest/bpf/maps/rights.hpp"

namespace unibpf {

UNIBPF_PROGRAM_STATE std::uint64_t answer_with_rights;

}  // namespace unibpf
