// RouterBuilder: from a graph's text to a running router, in the order below. Each step adds its faults to `errors`; the steps
// after a broken syntax or a broken graph are not tried, all others are, so that one look shows every fault.
//
//   1 size  2 parse  3 flatten  4 check ports  5 create  6 connect  7 configure  8 initialize
#pragma once

#include <string_view>

#include "guest/graph/check.hpp"
#include "guest/graph/router.hpp"
#include "guest/graph/source.hpp"

namespace unibpf {

class RouterBuilder {
  public:
    RouterBuilder(Router& router, const Registry& registry, Environment& environment, Errors& errors)
        : router_{router}, registry_{registry}, environment_{environment}, errors_{errors} {}

    void build(std::string_view text);

  private:
    void make_elements(const FlatGraph& graph, std::span<const ElementPorts> ports, BuildContext& context);
    bool make_element(const FlatElement& flat, const ElementPorts& ports, BuildContext& context, Owned<Element>& slot);
    void connect(const FlatGraph& graph, std::span<const ElementPorts> ports);
    void configure(Element& element, const FlatElement& flat, BuildContext& context);
    void configure_all(const FlatGraph& graph, BuildContext& context);
    void initialize();
    void collect_tasks();

    Router& router_;
    const Registry& registry_;
    Environment& environment_;
    Errors& errors_;
};

}  // namespace unibpf
