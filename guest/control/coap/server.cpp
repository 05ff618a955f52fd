#include "guest/control/coap/server.hpp"

#include <algorithm>

namespace unibpf::coap {

namespace {

// RFC 7252 4.2, 4.3: what cannot be processed is rejected with a reset if it was confirmable, else ignored.
std::size_t reset(const Header& header, std::span<std::uint8_t> out) {
    if (header.type != Type::con) return 0;
    const auto length = MessageWriter{out, Header{Type::rst, empty, header.id, 0}, Token{}}.finish();
    return length ? length.value() : 0;
}

// RFC 7252 4.2: only confirmable and non-confirmable messages with a request code are requests.
bool is_request(const Message& message) {
    return code_class(message.code) == 0 && message.code != empty &&
           (message.type == Type::con || message.type == Type::non);
}

Block clamp(const std::optional<Block>& wanted) {
    Block block = wanted.value_or(Block{});
    block.size_exponent = std::min(block.size_exponent, largest_size_exponent);
    return block;
}

}  // namespace

std::size_t Server::handle(const Endpoint& peer, Bytes datagram, std::uint64_t now_ns, std::span<std::uint8_t> out) {
    out = out.first(std::min(out.size(), max_datagram));
    const auto header = parse_header(datagram);
    if (!header || header.value().type == Type::ack || header.value().type == Type::rst) {
        ++counters_.malformed;
        return 0;
    }
    if (const auto stored = exchanges_.find(peer, header.value().id, now_ns); stored.has_value()) {
        ++counters_.duplicates;
        std::copy(stored->begin(), stored->end(), out.begin());
        return stored->size();
    }
    const auto message = parse(datagram);
    if (!message || !is_request(message.value())) {
        ++counters_.malformed;
        return reset(header.value(), out);
    }
    ++counters_.requests;
    Exchange exchange{peer, &message.value(), {}, {}, now_ns, out};
    const std::size_t length = answer(exchange);
    exchanges_.store(peer, header.value().id, now_ns, out.first(length));
    return length;
}

bool Server::shows_key(const Endpoint& peer, Bytes datagram, std::uint64_t now_ns) {
    const auto message = parse(datagram);
    if (!message || !is_request(message.value())) return false;
    if (exchanges_.find(peer, message.value().id, now_ns).has_value()) return true;
    const auto options = read_options(message.value());
    if (!options) return false;
    const Operation operation = operation_of(peer, message.value().code, options.value());
    if (options.value().block2.has_value() && options.value().block2->number > 0) {
        const Representation* representation = downloads_.find(operation, now_ns);
        return representation != nullptr && representation->sealed;
    }
    if (options.value().block1.value_or(Block{}).number > 0) return uploads_.is_vouched(operation);
    return resources_.voucher(message.value().code, options.value(), message.value().payload) != 0;
}

std::size_t Server::answer(Exchange& exchange) {
    auto options = read_options(*exchange.message);
    if (!options) return refuse(exchange, options.error());
    exchange.options = options.value();
    exchange.operation = operation_of(exchange.peer, exchange.message->code, exchange.options);
    if (exchange.options.wants_proxy) return refuse(exchange, Error{"proxy", "this server is no proxy"});
    if (exchange.options.block2.has_value() && exchange.options.block2->number > 0) return answer_next_block(exchange);
    return answer_body(exchange);
}

std::size_t Server::answer_body(Exchange& exchange) {
    const Code method = exchange.message->code;
    const std::size_t limit = resources_.body_limit(method, exchange.options);
    Request request{method, &exchange.options, {}, exchange.now_ns};
    if (limit == 0) return send(exchange, resources_.respond(request, buffer_));

    const Bytes payload = exchange.message->payload;
    const bool begins = exchange.options.block1.value_or(Block{}).number == 0;
    const std::uint64_t voucher = begins ? resources_.voucher(method, exchange.options, payload) : 0;
    const auto body = uploads_.add(exchange.operation, exchange.options, {payload, limit, exchange.now_ns, voucher});
    if (!body) return refuse(exchange, body.error());
    if (body.value() == nullptr) return send(exchange, Response{continue_, 0, {}});
    request.body = body.value()->bytes();
    const std::size_t length = send(exchange, resources_.respond(request, buffer_));
    uploads_.finish(exchange.operation);
    return length;
}

std::size_t Server::answer_next_block(const Exchange& exchange) {
    const Representation* representation = downloads_.find(exchange.operation, exchange.now_ns);
    const Block block = clamp(exchange.options.block2);
    if (representation == nullptr) {
        return refuse(exchange, Error{"incomplete", "the representation is gone, ask for its first block", block.number});
    }
    if (block.offset() >= representation->body.size()) {
        return refuse(exchange, Error{"block", "the block lies past the end of the representation", block.number});
    }
    return send_block(exchange, *representation, block);
}

std::size_t Server::refuse(const Exchange& exchange, const Error& error) {
    const Response response = resources_.refuse(error, buffer_);
    if (response.code != too_large) return send(exchange, response);
    // RFC 7959 2.9.3: 4.13 says by Size1 what would be taken.
    MessageWriter writer = begin(exchange, response.code);
    writer.option_uint(option::content_format, response.format);
    writer.option_uint(option::size1, static_cast<std::uint32_t>(error.value));
    writer.payload(response.body);
    const auto length = writer.finish();
    return length ? length.value() : 0;
}

std::size_t Server::send(const Exchange& exchange, const Response& response) {
    const Block first = clamp(exchange.options.block2);
    if (response.body.size() > first.size()) {
        const Representation* stored = downloads_.store(exchange.operation, response, exchange.now_ns);
        if (stored == nullptr) return refuse(exchange, Error{"busy", "there is no memory for the answer now", response.body.size()});
        return send_block(exchange, *stored, first);
    }
    MessageWriter writer = begin(exchange, response.code);
    if (!response.body.empty()) writer.option_uint(option::content_format, response.format);
    if (exchange.options.block1.has_value()) writer.option_uint(option::block1, exchange.options.block1->encode());
    writer.payload(response.body);
    const auto length = writer.finish();
    return length ? length.value() : 0;
}

std::size_t Server::send_block(const Exchange& exchange, const Representation& representation, const Block& wanted) {
    const Bytes rest = representation.body.bytes().subspan(wanted.offset());
    Block block = wanted;
    block.more = rest.size() > block.size();
    const std::array<std::uint8_t, 4> etag{
        static_cast<std::uint8_t>(representation.etag >> 24), static_cast<std::uint8_t>(representation.etag >> 16),
        static_cast<std::uint8_t>(representation.etag >> 8), static_cast<std::uint8_t>(representation.etag)};
    MessageWriter writer = begin(exchange, representation.code);
    writer.option(option::etag, etag);
    writer.option_uint(option::content_format, representation.format);
    writer.option_uint(option::block2, block.encode());
    if (exchange.options.block1.has_value()) writer.option_uint(option::block1, exchange.options.block1->encode());
    if (block.number == 0) writer.option_uint(option::size2, static_cast<std::uint32_t>(representation.body.size()));
    writer.payload(rest.first(std::min(rest.size(), block.size())));
    const auto length = writer.finish();
    return length ? length.value() : 0;
}

MessageWriter Server::begin(const Exchange& exchange, Code code) {
    const bool confirmable = exchange.message->type == Type::con;
    const Header header{confirmable ? Type::ack : Type::non, code,
                        confirmable ? exchange.message->id : next_id_++, 0};
    return MessageWriter{exchange.out, header, exchange.message->token};
}

}  // namespace unibpf::coap
