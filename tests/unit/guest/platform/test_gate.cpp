// The rights of isolated runs. The gate itself needs a CPU with protection keys (tests/system/isolation/test_isolation.py).
#include <doctest/doctest.h>

#include "guest/platform/gate.hpp"

using namespace unibpf::platform;

TEST_CASE("a run writes with two keys, reads with the guest's as well, and reaches nothing else") {
    const std::uint32_t rights = gate::rights_of_run(15, 1, 0);
    for (unsigned key = 0; key < 16; ++key) {
        const std::uint32_t bits = rights >> (2 * key) & 3;  // Intel SDM volume 3, 4.6.2: bit 0 takes all access, bit 1 writes
        CHECK(bits == (key == 1 || key == 15 ? 0
                       : key == 0            ? 2
                                             : 3));
    }
    CHECK(gate::all_rights == 0);
}

TEST_CASE("no run is active before the first") { CHECK_FALSE(gate::active()); }
