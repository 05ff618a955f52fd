#include "guest/control/resources/handler_access.hpp"

#include "guest/control/keys.hpp"
#include "guest/core/heap.hpp"
#include "guest/graph/router.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

struct HandlerCall {
    std::string_view element;
    std::string_view name;
    std::string_view value;
    bool has_value = false;
};

Result<HandlerCall> read_call(Bytes body) {
    cbor::Reader reader{body};
    auto fields = TRY(cbor::MapReader::open(reader));
    HandlerCall call;
    while (const auto key = TRY(fields.next())) {
        switch (static_cast<HandlerKey>(*key)) {
            case HandlerKey::element: call.element = TRY(reader.text()); break;
            case HandlerKey::name: call.name = TRY(reader.text()); break;
            case HandlerKey::value:
                call.value = TRY(reader.text());
                call.has_value = true;
                break;
            default: return fields.unknown(*key);
        }
    }
    TRY(reader.end());
    if (call.element.empty() || call.name.empty()) return reader.error("the element or the handler is not named");
    if (call.value.size() > max_handler_write) return reader.error("the value is too long", call.value.size());
    return call;
}

struct Found {
    Element* element = nullptr;
    const Handler* handler = nullptr;
};

Result<Found> find(Router& router, const HandlerCall& call) {
    Element* element = router.find(call.element);
    if (!element) return Error{"no-handler", "the graph has no element of that name"};
    const Handler* handler = element->element_class().handler(call.name);
    if (!handler) return Error{"no-handler", "the element has no handler of that name"};
    return Found{element, handler};
}

Status write_value(cbor::Writer& writer, std::string_view value) {
    writer.map(1);
    writer.uint(static_cast<std::uint64_t>(HandlerKey::value));
    writer.text(value);
    return done();
}

}  // namespace

Status read_handler(cbor::Writer& writer, Router& router, Bytes body) {
    const HandlerCall call = TRY(read_call(body));
    const Found found = TRY(find(router, call));
    const auto buffer = make_array<char>(max_handler_value);
    if (!buffer) return Error{"memory", "there is no memory for the value now", max_handler_value};
    Text text{buffer.span()};
    if (!found.handler->read && !found.handler->query) return Error{"no-handler", "the handler cannot be read"};
    if (call.has_value && !found.handler->query) return Error{"handler", "the handler takes no argument when it is read"};
    {
        const platform::NoPreempt whole;  // the data path may change what the handler reads
        const NameInfo::Use names{router.names(), found.element->name()};
        if (found.handler->query) TRY(found.handler->query(*found.element, call.value, text));
        else found.handler->read(*found.element, text);
    }
    // Text is UTF-8 (RFC 8949 3.1): what is none is a dot.
    for (char& c : buffer.span().first(text.view().size()))
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f) c = '.';
    return write_value(writer, text.view());
}

Status write_handler(cbor::Writer& writer, Router& router, Bytes body) {
    const HandlerCall call = TRY(read_call(body));
    const Found found = TRY(find(router, call));
    if (!found.handler->write) return Error{"no-handler", "the handler cannot be written"};
    {
        const platform::NoPreempt whole;  // packets meet the element before or after it
        const NameInfo::Use names{router.names(), found.element->name()};
        TRY(found.handler->write(*found.element, call.value));
    }
    return write_value(writer, {});
}

}  // namespace unibpf
