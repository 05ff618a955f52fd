#include "guest/graph/router_builder.hpp"

#include "guest/graph/parser.hpp"

namespace unibpf {

void RouterBuilder::build(std::string_view text) {
    router_.environment_ = &environment_;
    if (text.size() > max_graph_text) return errors_.add({}, "got a graph of ", text.size(), " bytes, expected at most ", max_graph_text);
    Arena scratch{16 * 1024};
    const std::string_view copy = router_.arena_.copy(text);
    if (copy.size() == text.size()) {
        const Source source{copy, scratch};
        BuildContext context{source, scratch, router_.arena_, errors_};
        const BodySyntax& syntax = Parser{context, registry_}.parse();
        if (!errors_.empty()) return;
        FlatGraph graph = Flattener{context}.flatten(syntax, environment_.defines);
        if (!errors_.empty()) return;
        std::span<const ElementPorts> ports = check_ports(graph, context);
        const ElementClass* detour = registry_.find("Detour");
        if (errors_.empty() && detour && cut_circles(graph, ports, *detour, context)) ports = check_ports(graph, context);
        if (errors_.empty()) check_runs(graph, ports, context);
        if (!scratch.exhausted()) make_elements(graph, ports, context);
    }
    if (scratch.exhausted() || router_.arena_.exhausted()) return errors_.add({}, "no memory for the graph");
    if (errors_.empty()) initialize();
}

void RouterBuilder::make_elements(const FlatGraph& graph, std::span<const ElementPorts> ports, BuildContext& context) {
    const std::size_t count = graph.elements.size();
    router_.owned_ = make_array<Owned<Element>>(count);
    router_.elements_ = router_.arena_.array<Element*>(count);
    if (!router_.owned_ || router_.elements_.size() < count) return errors_.add({}, "no memory for ", count, " elements");
    for (std::size_t i = 0; i < count; ++i) {
        if (!make_element(graph.elements[i], ports[i], context, router_.owned_[i])) {
            router_.elements_ = {};
            return errors_.add({}, "no memory for ", count, " elements");
        }
        router_.elements_[i] = router_.owned_[i].get();
    }
    if (errors_.empty()) connect(graph, ports);
    configure_all(graph, context);
}

// First those that declare what others name.
void RouterBuilder::configure_all(const FlatGraph& graph, BuildContext& context) {
    for (const bool informs : {true, false})
        for (std::size_t i = 0; i < graph.elements.size(); ++i)
            if (graph.elements[i].row->informs == informs) configure(*router_.elements_[i], graph.elements[i], context);
}

bool RouterBuilder::make_element(const FlatElement& flat, const ElementPorts& ports, BuildContext& context, Owned<Element>& slot) {
    slot = flat.row->create();
    if (!slot) return false;
    slot->name_ = flat.name;
    slot->class_ = flat.row;
    slot->configuration_ = flat.config;
    slot->router_ = &router_;
    slot->place_ = context.source.place(flat.at);
    slot->inputs_ = router_.arena_.array<Port>(ports.inputs);
    slot->outputs_ = router_.arena_.array<Port>(ports.outputs);
    return slot->inputs_.size() == ports.inputs && slot->outputs_.size() == ports.outputs;
}

void RouterBuilder::connect(const FlatGraph& graph, std::span<const ElementPorts> ports) {
    for (const FlatConnection& connection : graph.connections) {
        Element& from = *router_.elements_[connection.from];
        Element& to = *router_.elements_[connection.to];
        if (ports[connection.from].output_kinds[connection.from_port] == PortKind::push)
            from.outputs_[connection.from_port].connect(to, connection.to_port);
        else
            to.inputs_[connection.to_port].connect(from, connection.from_port);
    }
}

void RouterBuilder::configure(Element& element, const FlatElement& flat, BuildContext& context) {
    const std::span<std::string_view> raw = split_config(flat.config, context.scratch).to_span(context.scratch);
    const std::span<Arg> all = context.scratch.array<Arg>(raw.size());
    if (all.size() < raw.size()) return;
    for (std::size_t i = 0; i < raw.size(); ++i) all[i] = make_arg(raw[i], flat.config_at, context);
    const NameInfo::Use names{router_.names_, element.name()};
    const Errors::Context context_of_errors{errors_, "While configuring", element.name(), element.class_name(), element.place()};
    Args args{all, element.name(), element.place(), errors_};
    element.configure(args);
    args.complete();
}

void RouterBuilder::initialize() {
    for (Element* element : router_.elements_) {
        const NameInfo::Use names{router_.names_, element->name()};
        const Errors::Context context_of_errors{errors_, "While initializing", element->name(), element->class_name(), element->place()};
        element->initialize(environment_, errors_);
    }
    collect_tasks();
}

void RouterBuilder::collect_tasks() {
    std::size_t count = 0;
    for (const Element* element : router_.elements_) count += element->has_task();
    router_.tasks_ = router_.arena_.array<Element*>(count);
    if (router_.tasks_.size() < count) return errors_.add({}, "no memory for ", count, " tasks");
    std::size_t i = 0;
    for (const bool sources : {true, false})
        for (Element* element : router_.elements_)
            if (element->has_task() && (element->inputs() == 0) == sources) router_.tasks_[i++] = element;
}

}  // namespace unibpf
