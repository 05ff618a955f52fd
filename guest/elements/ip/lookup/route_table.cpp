#include "guest/elements/ip/lookup/route_table.hpp"

#include <algorithm>
#include <utility>

#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

bool before(const Route& a, const Route& b) { return a.address != b.address ? a.address < b.address : a.mask < b.mask; }
bool before_or_newer(const Route& a, const Route& b) { return a.same_prefix(b) ? a.order > b.order : before(a, b); }
std::uint32_t last(const Route& route) { return route.address | ~route.mask; }

}  // namespace

bool RouteTable::reserve(std::size_t count) {
    if (count <= routes_.size()) return true;
    auto more = make_array<Route>(std::max<std::size_t>(2 * routes_.size(), count + 4));
    if (!more) return false;
    std::copy_n(routes_.begin(), count_, more.begin());
    routes_ = std::move(more);
    return true;
}

bool RouteTable::append(const Route& route) {
    if (!reserve(count_ + 1)) return false;
    routes_[count_] = route;
    routes_[count_].order = static_cast<std::uint32_t>(count_);
    ++count_;
    return true;
}

// The routes sorted by address, shorter prefixes first, are a walk through nested intervals: a stack of those that are open.
bool RouteTable::settle() {
    std::sort(routes_.begin(), routes_.begin() + count_, before_or_newer);
    count_ = static_cast<std::size_t>(std::unique(routes_.begin(), routes_.begin() + count_, [](const Route& a, const Route& b) { return a.same_prefix(b); }) - routes_.begin());
    auto ranges = make_array<Range>(2 * count_ + 2);
    if (!ranges) return false;
    std::uint32_t open[33], depth = 0;
    std::size_t made = 0;
    auto begin = [&](std::uint32_t first, std::uint32_t route) {
        if (made > 0 && ranges[made - 1].first == first) --made;
        if (made == 0 || ranges[made - 1].route != route) ranges[made++] = {first, route};
    };
    auto close = [&](std::uint32_t until) {
        while (depth > 0 && last(routes_[open[depth - 1]]) < until) {
            const std::uint32_t end = last(routes_[open[--depth]]);
            if (end != ~std::uint32_t{0}) begin(end + 1, depth > 0 ? open[depth - 1] : no_route);
        }
    };
    begin(0, no_route);
    for (std::uint32_t r = 0; r < count_; ++r) {
        close(routes_[r].address);
        begin(routes_[r].address, r);
        open[depth++] = r;
    }
    while (depth > 0) {
        const std::uint32_t end = last(routes_[open[--depth]]);
        if (end != ~std::uint32_t{0}) begin(end + 1, depth > 0 ? open[depth - 1] : no_route);
    }
    unsigned bits = 0;
    while (bits < 16 && (std::size_t{1} << bits) < made) ++bits;
    auto index = make_array<std::uint32_t>((std::size_t{1} << bits) + 1);
    if (!index) return false;
    std::uint32_t at = 0;
    for (std::size_t bucket = 0; bucket < (std::size_t{1} << bits); ++bucket) {
        const std::uint32_t first = bits == 0 ? 0 : static_cast<std::uint32_t>(bucket << (32 - bits));
        while (at + 1 < made && ranges[at + 1].first <= first) ++at;
        index[bucket] = at;
    }
    index[std::size_t{1} << bits] = static_cast<std::uint32_t>(made - 1);
    ranges_ = std::move(ranges);
    range_count_ = made;
    index_ = std::move(index);
    shift_ = 32 - bits;
    return true;
}

bool RouteTable::copy(const RouteTable& from, std::size_t room) {
    if (!reserve(room)) return false;
    std::copy_n(from.routes_.begin(), from.count_, routes_.begin());
    count_ = from.count_;
    return true;
}

std::size_t RouteTable::locate(const Route& route) const {
    const Route* found = std::lower_bound(routes_.begin(), routes_.begin() + count_, route, before);
    return found != routes_.begin() + count_ && found->same_prefix(route) ? static_cast<std::size_t>(found - routes_.begin()) : count_;
}

void RouteTable::swap(RouteTable& other) {
    const platform::NoPreempt guard;
    std::swap(routes_, other.routes_);
    std::swap(count_, other.count_);
    std::swap(ranges_, other.ranges_);
    std::swap(range_count_, other.range_count_);
    std::swap(index_, other.index_);
    std::swap(shift_, other.shift_);
}

RouteTable::Change RouteTable::add(const Route& route, bool replace) {
    const std::size_t at = locate(route);
    if (at < count_ && !replace) return Change::exists;
    RouteTable next;
    if (!next.copy(*this, count_ + 1)) return Change::memory;
    if (at < count_) next.routes_[at] = route;
    else next.append(route);
    if (!next.settle()) return Change::memory;
    swap(next);
    return Change::done;
}

RouteTable::Change RouteTable::remove(const Route& route, bool exact) {
    const std::size_t at = locate(route);
    if (at == count_) return Change::missing;
    if (exact && (routes_[at].gateway != route.gateway || routes_[at].port != route.port)) return Change::missing;
    RouteTable next;
    if (!next.copy(*this, count_)) return Change::memory;
    std::copy(next.routes_.begin() + at + 1, next.routes_.begin() + next.count_, next.routes_.begin() + at);
    --next.count_;
    if (!next.settle()) return Change::memory;
    swap(next);
    return Change::done;
}

void RouteTable::clear() {
    RouteTable empty;
    swap(empty);
}

}  // namespace unibpf
