#include "guest/graph/router.hpp"

#include "guest/drivers/nic.hpp"
#include "guest/graph/router_builder.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

void Registry::add(const ElementClass& row) {
    if (count_ == kMax) platform::panic("element class registry is full");
    rows_[count_++] = &row;
}

const ElementClass* Registry::find(std::string_view name) const {
    for (const ElementClass* row : classes())
        if (row->name == name) return row;
    return nullptr;
}

Owned<Router> Router::create(std::string_view text, const Registry& registry, Environment& environment, Errors& errors) {
    auto router = make<Router>();
    if (!router) {
        errors.add({}, "no memory for a router");
        return {};
    }
    RouterBuilder{*router, registry, environment, errors}.build(text);
    if (!errors.empty()) router.reset();
    return router;
}

bool Router::run_once(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    bool busy = false;
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

void Router::take_state(Router& old) {
    for (Element* element : elements_) {
        Element* before = old.find(element->name());
        if (before && &before->element_class() == &element->element_class()) element->take_state(*before);
    }
}

}  // namespace unibpf
