// The grammar of formats: which arguments are addresses is read from there.
#include <doctest/doctest.h>

#include "services/verifier/native/checks/format.hpp"

namespace unibpf::analyser {

TEST_CASE("flags, widths and lengths stand before a conversion and change nothing of it") {
    using enum Printed;
    CHECK(printed_by("no conversion, 100%%") == std::vector<Printed>{});
    CHECK(printed_by("%d %-5u %08x %lld %li") == std::vector<Printed>{number, number, number, number, number});
    CHECK(printed_by("%s %10s") == std::vector<Printed>{string, string});
    CHECK(printed_by("%pI4 %pi6 %pks %p %px") == std::vector<Printed>{address4, address6, string, number, number});
}

TEST_CASE("what comes after something that is no conversion is not read") {
    CHECK(printed_by("%d %y %s") == std::vector<Printed>{Printed::number});
    CHECK(printed_by("%d %") == std::vector<Printed>{Printed::number});
}

}  // namespace unibpf::analyser
