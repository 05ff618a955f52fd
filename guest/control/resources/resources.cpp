#include "guest/control/resources/resources.hpp"

#include <algorithm>

#include "guest/control/keys.hpp"
#include "guest/control/resources/answers.hpp"
#include "guest/control/resources/handler_access.hpp"
#include "guest/control/resources/map_access.hpp"
#include "guest/control/resources/ring_access.hpp"
#include "guest/control/resources/status.hpp"

namespace unibpf {

namespace {

constexpr std::string_view any_segment = "*";
constexpr std::size_t small_body = 2048;                         // MACed requests without a bundle
constexpr std::size_t handler_body = max_handler_write + 1024;   // with names and a MAC
constexpr std::size_t wrapped_bundle = max_signed_bundle + 1024;  // with a MAC around it

// Bodies that ask for nothing in particular: {}.
Status expect_empty_map(Bytes body) {
    cbor::Reader reader{body};
    if (TRY(reader.map()) != 0) return reader.error("the body is not an empty map");
    return reader.end();
}

Result<Bytes> read_activation(Bytes body) {
    cbor::Reader reader{body};
    auto map = TRY(cbor::MapReader::open(reader));
    Bytes digest;
    while (const auto key = TRY(map.next())) {
        if (static_cast<ActivateKey>(*key) != ActivateKey::envelope) return map.unknown(*key);
        digest = TRY(reader.bytes());
    }
    TRY(map.require(1));
    TRY(reader.end());
    if (digest.size() != 32) return reader.error("the envelope digest is not 32 bytes long", digest.size());
    return digest;
}

Status check_formats(const coap::RequestOptions& options, std::uint16_t format) {
    if (options.content_format.has_value() && *options.content_format != coap::format_cbor) {
        return Error{"format", "the content format is not CBOR", *options.content_format};
    }
    if (options.accept.has_value() && *options.accept != format) {
        return Error{"accept", "the resource has no representation in the accepted format", *options.accept};
    }
    return done();
}

}  // namespace

// One row a resource. The order is that of design 6.
const std::array<ControlResources::Row, 11> ControlResources::rows{{
    {{".well-known", "core"}, coap::get, Authentication::none, 0, coap::content, coap::format_link, &ControlResources::well_known},
    {{"status"}, coap::fetch, Authentication::required, small_body, coap::content, coap::format_cbor, &ControlResources::status},
    {{"elements", "*", "staged"}, coap::put, Authentication::optional, wrapped_bundle, coap::changed, coap::format_cbor, &ControlResources::stage},
    {{"elements", "*", "activate"}, coap::post, Authentication::required, small_body, coap::changed, coap::format_cbor, &ControlResources::activate},
    {{"elements", "*", "program"}, coap::put, Authentication::required, wrapped_bundle, coap::changed, coap::format_cbor, &ControlResources::program},
    {{"elements", "*", "rollback"}, coap::post, Authentication::required, small_body, coap::changed, coap::format_cbor, &ControlResources::roll_back},
    {{"elements", "*", "maps", "*"}, coap::fetch, Authentication::required, small_body, coap::content, coap::format_cbor, &ControlResources::dump},
    {{"elements", "*", "maps", "*"}, coap::post, Authentication::required, map_changes_body, coap::changed, coap::format_cbor, &ControlResources::change},
    {{"handlers"}, coap::fetch, Authentication::required, handler_body, coap::content, coap::format_cbor, &ControlResources::read},
    {{"handlers"}, coap::post, Authentication::required, handler_body, coap::changed, coap::format_cbor, &ControlResources::write},
    {{"graph"}, coap::put, Authentication::required, small_body, coap::changed, coap::format_cbor, &ControlResources::graph},
}};

ControlResources::ControlResources(const ControlParts& parts, Updater& updater, const Steps& boot_steps, const Clocks& clocks,
                                   const MacKeys& keys)
    : parts_{parts}, updater_{updater}, boot_steps_{boot_steps}, clocks_{clocks}, keys_{keys} {}

bool ControlResources::matches(const Row& row, const coap::RequestOptions& options) {
    const auto& path = options.segments;
    const auto length = static_cast<std::size_t>(
        std::find(row.segments.begin(), row.segments.end(), std::string_view{}) - row.segments.begin());
    if (path.size() != length) return false;
    for (std::size_t i = 0; i < length; ++i) {
        if (row.segments[i] != any_segment && row.segments[i] != path[i]) return false;
    }
    return true;
}

Result<const ControlResources::Row*> ControlResources::find(coap::Code method, const coap::RequestOptions& options) {
    bool path_exists = false;
    for (const Row& row : rows) {
        if (!matches(row, options)) continue;
        if (row.method == method) return &row;
        path_exists = true;
    }
    if (path_exists) return Error{"method", "the resource does not have this method", method};
    return Error{"path", "there is no such resource"};
}

std::size_t ControlResources::body_limit(coap::Code method, const coap::RequestOptions& options) const {
    const auto row = find(method, options);
    return row ? row.value()->body_limit : 0;
}

std::uint64_t ControlResources::voucher(coap::Code method, const coap::RequestOptions& options, Bytes first_block) const {
    const std::uint64_t counter = vouched_counter(first_block, MacContext{&keys_, parts_.boot->guest, method, options.path.view()});
    return gate_.would_pass(counter, clocks_.wall_us()) ? counter : 0;
}

coap::Response ControlResources::respond(const coap::Request& request, std::span<std::uint8_t> buffer) {
    Seal seal;
    coap::Response response;
    const std::span<std::uint8_t> room = buffer.subspan(max_answer_prefix);
    if (const Status served = serve(request, room, seal, response); !served) response = problem(served.error(), room);
    return finish(seal, response, buffer);
}

coap::Response ControlResources::refuse(const Error& error, std::span<std::uint8_t> buffer) { return problem(error, buffer); }

Status ControlResources::serve(const coap::Request& request, std::span<std::uint8_t> room, Seal& seal, coap::Response& response) {
    const Row& row = *TRY(find(request.method, *request.options));
    TRY(check_formats(*request.options, row.format));
    Call call{&request, {}, {}, {}, Steps{clocks_.monotonic_ns, request.arrived_ns}, false};
    TRY(unwrap(row, request, seal, call.body));
    call.keyed = seal.wanted;
    if (request.options->segments.size() > 2) call.element = request.options->segments[1];
    if (request.options->segments.size() > 3) call.map = request.options->segments[3];
    cbor::Writer writer{room};
    TRY((this->*row.handler)(call, writer));
    if (writer.overflow()) return Error{"answer", "the answer is too long", room.size()};
    response = coap::Response{row.success, row.format, writer.written()};
    return done();
}

Status ControlResources::unwrap(const Row& row, const coap::Request& request, Seal& seal, Bytes& body) {
    body = request.body;
    if (row.authentication == Authentication::none) return done();
    if (!is_authenticated(body)) {
        if (row.authentication == Authentication::optional) return done();
        return Error{"mac", "the request bears no MAC"};
    }
    seal.context = MacContext{&keys_, parts_.boot->guest, request.method, request.options->path.view()};
    seal.request = TRY(open_request(body, seal.context));
    seal.wanted = true;  // from here on even a refusal is authenticated
    body = seal.request.body;
    return gate_.pass(seal.request.counter, clocks_.wall_us());
}

coap::Response ControlResources::finish(const Seal& seal, coap::Response response, std::span<std::uint8_t> buffer) {
    if (!seal.wanted) return response;
    std::array<std::uint8_t, max_answer_prefix> prefix;
    const auto length = seal_answer(seal.context, seal.request, response.code, response.body, prefix);
    if (!length) return problem(length.error(), buffer.subspan(max_answer_prefix));
    // The body stands at max_answer_prefix; what belongs before it goes right before it.
    const std::size_t start = max_answer_prefix - length.value();
    std::copy_n(prefix.begin(), length.value(), buffer.begin() + static_cast<std::ptrdiff_t>(start));
    response.body = Bytes{buffer}.subspan(start, length.value() + response.body.size());
    response.format = coap::format_cbor;
    response.sealed = true;
    return response;
}

coap::Response ControlResources::problem(const Error& error, std::span<std::uint8_t> room) {
    const std::size_t index = rule_index(error.rule);
    ++parts_.context->refusals[index];
    const RuleRow& row = rule_table[index];
    cbor::Writer writer{room};
    write_problem(writer, error, row);
    return coap::Response{row.code, coap::format_problem, writer.written()};
}

Result<ProgramSlot*> ControlResources::slot_of(const Call& call) const {
    ProgramSlot* slot = updater_.find(call.element);
    if (slot == nullptr) return Error{"element", "this guest has no BPF element of that name"};
    return slot;
}

// RFC 6690: links in text, which is written raw: the Writer is only its buffer here.
Status ControlResources::well_known(Call&, cbor::Writer& writer) {
    const auto put = [&writer](std::string_view text) {
        // Sound: bytes of char objects may be read as unsigned char.
        writer.raw({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    };
    put("</status>;ct=60,</handlers>;ct=60,</graph>;ct=60");
    for (const ProgramSlot* slot : parts_.slots->slots()) {
        for (const std::string_view leaf : {"staged", "activate", "program", "rollback"}) {
            put(",</elements/");
            put(slot->element());
            put("/");
            put(leaf);
            put(">;ct=60");
        }
    }
    return done();
}

Status ControlResources::status(Call& call, cbor::Writer& writer) {
    TRY(expect_empty_map(call.body));
    write_status(writer, parts_, keys_, boot_steps_);
    return done();
}

Status ControlResources::stage(Call& call, cbor::Writer& writer) {
    UpdateReport report;
    TRY(updater_.stage({call.element, call.body, now_s(), call.keyed}, call.steps, report));
    write_staged(writer, report, call.steps, call.request->options->trace_context);
    return done();
}

Status ControlResources::activate(Call& call, cbor::Writer& writer) {
    ProgramSlot& slot = *TRY(slot_of(call));
    const Bytes digest = TRY(read_activation(call.body));
    UpdateReport report;
    TRY(updater_.activate(slot, digest, call.steps, report));
    write_activated(writer, report, call.steps, call.request->options->trace_context);
    return done();
}

Status ControlResources::program(Call& call, cbor::Writer& writer) {
    UpdateReport report;
    TRY(updater_.stage({call.element, call.body, now_s(), call.keyed}, call.steps, report));
    const Digest digest = report.release.digest;
    TRY(updater_.activate(*report.slot, digest, call.steps, report));
    write_activated(writer, report, call.steps, call.request->options->trace_context);
    return done();
}

Status ControlResources::roll_back(Call& call, cbor::Writer& writer) {
    ProgramSlot& slot = *TRY(slot_of(call));
    TRY(expect_empty_map(call.body));
    UpdateReport report;
    TRY(updater_.roll_back(slot, call.steps, report));
    write_activated(writer, report, call.steps, call.request->options->trace_context);
    return done();
}

Status ControlResources::dump(Call& call, cbor::Writer& writer) {
    Map& map = *TRY(map_of(*TRY(slot_of(call)), call.map));
    if (is_ring(map)) return write_ring_dump(writer, map, call.body);
    return write_map_dump(writer, map, TRY(read_map_query(call.body)));
}

Status ControlResources::change(Call& call, cbor::Writer& writer) {
    const ProgramSlot& slot = *TRY(slot_of(call));
    return change_map(writer, slot, *TRY(map_of(slot, call.map)), call.body, call.steps);
}

Status ControlResources::read(Call& call, cbor::Writer& writer) { return read_handler(writer, *parts_.router, call.body); }

Status ControlResources::write(Call& call, cbor::Writer& writer) { return write_handler(writer, *parts_.router, call.body); }

// The graph is what the guest booted with: a new one takes a restart.
Status ControlResources::graph(Call&, cbor::Writer&) {
    return Error{"method", "this guest does not change its graph while it runs"};
}

}  // namespace unibpf
