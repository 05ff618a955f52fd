#include "guest/graph/router.hpp"

#include <algorithm>
#include <utility>

#include "guest/drivers/nic.hpp"
#include "guest/graph/router_builder.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

void Registry::add(const ElementClass& row) {
    if (count_ == rows_.size()) {
        auto more = make_array<const ElementClass*>(2 * count_ + 1);
        if (!more) platform::panic("no memory for the element classes");
        std::copy_n(rows_.begin(), count_, more.begin());
        rows_ = std::move(more);
    }
    rows_[count_++] = &row;
}

const ElementClass* Registry::find(std::string_view name) const {
    for (const ElementClass* row : classes())
        if (row->name == name) return row;
    return nullptr;
}

Owned<Router> Router::create(std::string_view text, const Registry& registry, Environment& environment, Errors& errors,
                             std::uint64_t now_ns) {
    auto router = make<Router>();
    if (!router) {
        errors.add({}, "no memory for a router");
        return {};
    }
    router->now_ns_ = now_ns;
    RouterBuilder{*router, registry, environment, errors}.build(text);
    if (!errors.empty()) router.reset();
    return router;
}

bool Router::run_once(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    bool busy = timers_.run(now_ns);
    for (Element* element : tasks_) busy |= element->run_task();
    if (busy)
        for (Nic* nic : environment_->nics) nic->flush();
    return busy;
}

Element* Router::find(std::string_view name) const {
    for (Element* element : elements_)
        if (element->name() == name) return element;
    return nullptr;
}

Element* Router::find(std::string_view name, const Element& from) const {
    std::string_view scope = name_scope(from.name());
    for (; !scope.empty(); scope = name_scope(slice(scope, 0, scope.size() - 1)))
        for (Element* element : elements_)
            if (element->name().starts_with(scope) && slice(element->name(), scope.size()) == name) return element;
    return find(name);
}

void Router::take_state(Router& old) {
    for (Element* element : elements_) {
        Element* before = old.find(element->name());
        if (!before || &before->element_class() != &element->element_class()) continue;
        element->packets_ = before->packets_;
        element->drops_ = before->drops_;
        element->take_state(*before);
    }
}

}  // namespace unibpf
