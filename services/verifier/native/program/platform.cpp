#include "services/verifier/native/program/platform.hpp"

#include <algorithm>
#include <vector>

#include "services/verifier/native/program/linux_xdp.hpp"

namespace unibpf::analyser {
namespace {

template <typename Row, typename Number>
std::vector<Row> merged(std::span<const Row> base, std::span<const Row> more, Number number) {
    std::vector<Row> rows{more.begin(), more.end()};
    for (const Row& row : base) {
        const bool replaced = std::any_of(more.begin(), more.end(), [&](const Row& other) { return number(other) == number(row); });
        if (!replaced) rows.push_back(row);
    }
    return rows;
}

// A row that says what the guest's says is the guest's to say.
static_assert(std::ranges::none_of(abi::linux_xdp::more_helpers, [](const abi::HelperRow& row) {
    const abi::HelperRow* guests = abi::find_helper(static_cast<std::uint32_t>(row.helper));
    return guests != nullptr && *guests == row;
}));

}  // namespace

const abi::Tables& tables_of(Platform platform) {
    static const auto maps = merged<abi::MapTypeRow>(abi::map_types, abi::linux_xdp::more_map_types, [](const auto& row) { return row.type; });
    static const auto helpers = merged<abi::HelperRow>(abi::helpers, abi::linux_xdp::more_helpers, [](const auto& row) { return row.helper; });
    static const abi::Tables linux_tables{maps, helpers, abi::linux_xdp::most_entries, abi::linux_xdp::most_map_bytes};
    return platform == Platform::guest ? abi::guest_tables : linux_tables;
}

}  // namespace unibpf::analyser
