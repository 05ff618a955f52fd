#pragma once

#include "guest/elements/ip/lookup/route_table.hpp"
#include "guest/graph/element.hpp"

namespace unibpf {

// IP lookup elements: one table (route_table.hpp) under Click's five names, which differ in Click by how they search.
class IpLookup : public Element {
  public:
    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void take_state(Element& old) override;

    const RouteTable& table() const { return table_; }
    // The handlers: `ADDR/MASK [GW] OUT` for one, several lines of `add|set|remove ROUTE` for `control`, which does all or nothing.
    Status add(std::string_view text, bool replace);
    Status remove(std::string_view text);
    Status control(std::string_view text);
    void flush() {
        table_.clear();
        changed_ = true;
    }

  private:
    Status change(RouteTable& table, std::string_view command, std::string_view text) const;
    bool read_route(std::string_view text, Route& route, bool whole) const;

    RouteTable table_;
    bool changed_ = false;  // by a handler: the table lives on over a graph swap that does not configure another one
};

// StaticIPLookup - routes packets by a table that stays
//
//   StaticIPLookup(ADDR/MASK [GW] OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination annotation matches; GW, where the route has
// one, becomes the annotation. Of routes with one prefix the last counts. Packets that no route matches are dropped. The table stays as it is configured: its handlers read.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops, table, lookup (read).
// Example: CheckIPHeader -> r :: StaticIPLookup(10.0.0.0/8 0, 0.0.0.0/0 10.0.0.254 1); r[0] -> Discard; r[1] -> Discard;
class StaticIPLookup : public IpLookup {
  public:
    static const ElementClass class_row;
};

// LinearIPLookup - routes packets by a table
//
//   LinearIPLookup(ADDR/MASK [GW] OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination annotation matches; GW, where the route has
// one, becomes the annotation. Of routes with one prefix the last counts. Packets that no route matches are dropped. Handlers add and remove routes while it runs.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops, table, lookup (read), add, set, remove, ctrl, flush (write).
// Example: CheckIPHeader -> r :: LinearIPLookup(10.0.0.0/8 0, 0.0.0.0/0 10.0.0.254 1); r[0] -> Discard; r[1] -> Discard;
class LinearIPLookup : public IpLookup {
  public:
    static const ElementClass class_row;
};

// RadixIPLookup - routes packets by a large table
//
//   RadixIPLookup(ADDR/MASK [GW] OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination annotation matches; GW, where the route has
// one, becomes the annotation. Of routes with one prefix the last counts. Packets that no route matches are dropped. As LinearIPLookup, which it is.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops, table, lookup (read), add, set, remove, ctrl, flush (write).
// Example: CheckIPHeader -> r :: RadixIPLookup(10.0.0.0/8 0, 0.0.0.0/0 10.0.0.254 1); r[0] -> Discard; r[1] -> Discard;
class RadixIPLookup : public IpLookup {
  public:
    static const ElementClass class_row;
};

// DirectIPLookup - routes packets by a large table, as RadixIPLookup
//
//   DirectIPLookup(ADDR/MASK [GW] OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination annotation matches; GW, where the route has
// one, becomes the annotation. Of routes with one prefix the last counts. Packets that no route matches are dropped. As LinearIPLookup, which it is.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops, table, lookup (read), add, set, remove, ctrl, flush (write).
// Example: CheckIPHeader -> r :: DirectIPLookup(10.0.0.0/8 0, 0.0.0.0/0 10.0.0.254 1); r[0] -> Discard; r[1] -> Discard;
class DirectIPLookup : public IpLookup {
  public:
    static const ElementClass class_row;
};

// RangeIPLookup - routes packets by a large table, as RadixIPLookup
//
//   RangeIPLookup(ADDR/MASK [GW] OUT, ...)
//
// Packets leave by the output of the route with the longest prefix that their destination annotation matches; GW, where the route has
// one, becomes the annotation. Of routes with one prefix the last counts. Packets that no route matches are dropped. As LinearIPLookup, which it is.
// Ports: one push input, any number of push outputs.
// Drops: no-route.
// Handlers: count, drops, table, lookup (read), add, set, remove, ctrl, flush (write).
// Example: CheckIPHeader -> r :: RangeIPLookup(10.0.0.0/8 0, 0.0.0.0/0 10.0.0.254 1); r[0] -> Discard; r[1] -> Discard;
class RangeIPLookup : public IpLookup {
  public:
    static const ElementClass class_row;
};

}  // namespace unibpf
