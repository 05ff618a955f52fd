// RouteTable: IPv4 routes, the longest prefix first.
//
// The routes are cut into disjoint ranges of addresses, sorted; an index by an address's high bits says where among them to look, so
// that a lookup is one index word and a short binary search however many routes there are. Changes make the ranges anew and put them in place of
// the old ones in one step; only `find` is for the data path.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/core/heap.hpp"
#include "guest/graph/text.hpp"

namespace unibpf {

struct Route {
    std::uint32_t address = 0;  // host order, masked
    std::uint32_t mask = 0;
    std::uint32_t gateway = 0;  // 0: none
    std::uint32_t port = 0;
    std::uint32_t order = 0;  // among routes of one prefix the last counts

    bool same_prefix(const Route& other) const { return address == other.address && mask == other.mask; }
};

class RouteTable {
  public:
    enum class Change : std::uint8_t {
        done,
        exists,   // another route has that prefix
        missing,  // no route has it
        memory    // nothing was changed
    };

    // Null: no route.
    const Route* find(std::uint32_t address) const {
        if (range_count_ == 0) return nullptr;
        const std::uint32_t bucket = shift_ == 32 ? 0 : address >> shift_;
        std::uint32_t low = index_[bucket], high = index_[bucket + 1];
        while (low < high) {
            const std::uint32_t middle = (low + high + 1) / 2;
            if (ranges_[middle].first <= address) low = middle;
            else high = middle - 1;
        }
        const std::uint32_t route = ranges_[low].route;
        return route == no_route ? nullptr : &routes_[route];
    }

    // Until `settle`, `append` alone: routes of the configuration, of which a later one replaces an earlier one.
    bool append(const Route& route);
    bool settle();

    Change add(const Route& route, bool replace);
    Change remove(const Route& route, bool exact);
    void clear();
    std::size_t size() const { return count_; }
    const Route& operator[](std::size_t i) const { return routes_[i]; }
    void swap(RouteTable& other);

  private:
    static constexpr std::uint32_t no_route = ~std::uint32_t{0};
    struct Range {
        std::uint32_t first;
        std::uint32_t route;
    };
    bool reserve(std::size_t count);
    bool copy(const RouteTable& from, std::size_t room);
    std::size_t locate(const Route& route) const;

    OwnedArray<Route> routes_;  // `count_` of them; sorted once settled
    std::size_t count_ = 0;
    OwnedArray<Range> ranges_;
    std::size_t range_count_ = 0;
    OwnedArray<std::uint32_t> index_;
    unsigned shift_ = 32;
};

}  // namespace unibpf
