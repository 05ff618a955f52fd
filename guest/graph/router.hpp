// Router: a running graph, made from a configuration in Click's language.
//
// `Router::create` parses, flattens compounds, checks ports, creates, configures and initializes every element, and reports
// *all* faults it found in `errors`; a router either exists whole or not at all. The text is foreign bytes: 64 KiB, 1024
// elements, 16 levels of compounds and 64 KiB of `define` expansion are the limits; nothing in it names anything outside
// `Registry` and `Environment`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/core/heap.hpp"
#include "guest/graph/arena.hpp"
#include "guest/graph/element.hpp"
#include "guest/graph/errors.hpp"
#include "guest/graph/names/name_info.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf {

inline constexpr std::size_t max_graph_text = 64 * 1024;
inline constexpr std::size_t max_elements = 1024;
inline constexpr std::size_t max_ports = 256;           // of one side of one element
inline constexpr std::size_t longest_element_name = 63;      // schemas/envelope.cddl

// The element classes that a graph may use. `main` adds the standard ones (guest/elements/standard.hpp) and Control.
class Registry {
  public:
    void add(const ElementClass& row);
    void add(std::span<const ElementClass* const> rows) {
        for (const ElementClass* row : rows) add(*row);
    }
    const ElementClass* find(std::string_view name) const;
    std::span<const ElementClass* const> classes() const { return rows_.span().first(count_); }

  private:
    OwnedArray<const ElementClass*> rows_;  // `count_` of them in use
    std::size_t count_ = 0;
};

class Router {
  public:
    // Null when `errors` is not empty. Copies what it keeps of `text`; `environment` and `registry` must outlive the router.
    Router() = default;  // empty; `create` fills it
    // `now_ns`: the time as elements see it while they are initialized.
    static Owned<Router> create(std::string_view text, const Registry& registry, Environment& environment, Errors& errors,
                                std::uint64_t now_ns = 0);

    // One round: the timers whose time has come, every task once, then every NIC flushed. Returns whether anything was done. `now_ns` is what `now()` gives.
    bool run_once(std::uint64_t now_ns);

    Element* find(std::string_view name) const;
    // As `from`'s configuration means it: an element of its own compound first, then of those around it.
    Element* find(std::string_view name, const Element& from) const;
    std::span<Element* const> elements() const { return elements_; }
    Environment& environment() const { return *environment_; }
    std::uint64_t now() const { return now_ns_; }
    TimerQueue& timers() { return timers_; }
    NameInfo& names() { return names_; }
    bool has_tasks() const { return !tasks_.empty(); }

    // Elements of the same name and class take the old ones' state; call it before the first round.
    void take_state(Router& old);

  private:
    friend class RouterBuilder;

    Arena arena_;
    NameInfo names_{arena_};
    TimerQueue timers_;
    Environment* environment_ = nullptr;
    OwnedArray<Owned<Element>> owned_;
    std::span<Element*> elements_;  // in the order of the text
    std::span<Element*> tasks_;     // sources first, so that a packet crosses the graph in one round
    std::uint64_t now_ns_ = 0;
};

}  // namespace unibpf
