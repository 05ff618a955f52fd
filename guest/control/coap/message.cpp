#include "guest/control/coap/message.hpp"

#include <algorithm>

namespace unibpf::coap {

namespace {

constexpr std::uint8_t payload_marker = 0xff;
constexpr std::uint32_t byte_extension = 13;   // RFC 7252 3.1: nibble 13 is followed by one byte, biased by 13
constexpr std::uint32_t word_extension = 14;   // nibble 14 by two bytes, biased by 269
constexpr std::uint32_t reserved_nibble = 15;
constexpr std::uint32_t word_bias = 269;

constexpr Error malformed(const char* text, std::uint64_t value = 0) { return Error{"shape", text, value}; }

class Cursor {
  public:
    explicit Cursor(Bytes bytes) : rest_{bytes} {}
    bool at_end() const { return rest_.empty(); }
    std::uint8_t peek() const { return rest_[0]; }
    Bytes rest() const { return rest_; }

    Result<Bytes> take(std::size_t count) {
        if (count > rest_.size()) return malformed("a CoAP option reaches past the end of the message", count);
        const Bytes taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }

    // The value of a delta or length nibble with its extension bytes (RFC 7252 3.1).
    Result<std::uint32_t> extended(std::uint32_t nibble) {
        if (nibble == reserved_nibble) return malformed("a CoAP option nibble is 15, which is reserved", nibble);
        if (nibble < byte_extension) return nibble;
        const Bytes bytes = TRY(take(nibble == byte_extension ? 1 : 2));
        if (nibble == byte_extension) return bytes[0] + byte_extension;
        return (std::uint32_t{bytes[0]} << 8 | bytes[1]) + word_bias;
    }

  private:
    Bytes rest_;
};

Result<Option> parse_option(Cursor& cursor, std::uint32_t last_number) {
    const std::uint8_t first = TRY(cursor.take(1))[0];
    const std::uint32_t delta = TRY(cursor.extended(first >> 4));
    const std::uint32_t length = TRY(cursor.extended(first & 0x0f));
    const std::uint32_t number = last_number + delta;
    if (number > 0xffff) return malformed("a CoAP option number is above 65535", number);
    return Option{static_cast<std::uint16_t>(number), TRY(cursor.take(length))};
}

Status parse_empty(const Header& header, Bytes datagram) {
    // RFC 7252 4.1: an empty message has no token and nothing after the message id.
    if (header.token_length != 0 || datagram.size() != header_length) {
        return malformed("an empty CoAP message is longer than four bytes", datagram.size());
    }
    return done();
}

}  // namespace

Result<Header> parse_header(Bytes datagram) {
    if (datagram.size() < header_length) return malformed("a CoAP message is shorter than its header", datagram.size());
    if (datagram[0] >> 6 != 1) return malformed("the CoAP version is not 1", datagram[0] >> 6);
    return Header{static_cast<Type>(datagram[0] >> 4 & 3), datagram[1],
                  static_cast<std::uint16_t>(datagram[2] << 8 | datagram[3]),
                  static_cast<std::uint8_t>(datagram[0] & 0x0f)};
}

Result<Message> parse(Bytes datagram) {
    const Header header = TRY(parse_header(datagram));
    Message message{header.type, header.code, header.id, {}, {}, {}};
    if (header.code == empty) {
        TRY(parse_empty(header, datagram));
        return message;
    }
    if (header.token_length > message.token.bytes.size()) {
        return malformed("a CoAP token is longer than eight bytes", header.token_length);
    }
    Cursor cursor{datagram.subspan(header_length)};
    const Bytes token = TRY(cursor.take(header.token_length));
    std::copy(token.begin(), token.end(), message.token.bytes.begin());
    message.token.length = header.token_length;

    std::uint32_t number = 0;
    while (!cursor.at_end() && cursor.peek() != payload_marker) {
        const Option option = TRY(parse_option(cursor, number));
        if (message.options.full()) return malformed("a CoAP message has too many options", max_options);
        message.options.push(option);
        number = option.number;
    }
    if (cursor.at_end()) return message;
    TRY(cursor.take(1));
    if (cursor.at_end()) return malformed("a CoAP payload marker is followed by no payload");
    message.payload = cursor.rest();
    return message;
}

MessageWriter::MessageWriter(std::span<std::uint8_t> out, const Header& header, const Token& token) : out_{out} {
    put(static_cast<std::uint8_t>(1 << 6 | static_cast<unsigned>(header.type) << 4 | token.length));
    put(header.code);
    put(static_cast<std::uint8_t>(header.id >> 8));
    put(static_cast<std::uint8_t>(header.id));
    put(Bytes{token.bytes}.first(token.length));
}

void MessageWriter::put(std::uint8_t byte) { put(Bytes{&byte, 1}); }

void MessageWriter::put(Bytes bytes) {
    if (bytes.size() > out_.size() - length_) {
        overflow_ = true;
        return;
    }
    std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(length_));
    length_ += bytes.size();
}

void MessageWriter::option(std::uint16_t number, Bytes value) {
    const auto nibble = [](std::uint32_t n) {
        return n < byte_extension ? n
               : n < word_bias    ? byte_extension
                                  : word_extension;
    };
    const auto extension = [this](std::uint32_t n) {
        if (n >= word_bias) put(static_cast<std::uint8_t>((n - word_bias) >> 8));
        if (n >= byte_extension) put(static_cast<std::uint8_t>(n >= word_bias ? n - word_bias : n - byte_extension));
    };
    const std::uint32_t delta = std::uint32_t{number} - last_number_;
    const auto length = static_cast<std::uint32_t>(value.size());
    put(static_cast<std::uint8_t>(nibble(delta) << 4 | nibble(length)));
    extension(delta);
    extension(length);
    put(value);
    last_number_ = number;
}

void MessageWriter::option_uint(std::uint16_t number, std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes{static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
                                      static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
    const auto first = std::find_if(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte != 0; });
    option(number, Bytes{bytes}.subspan(static_cast<std::size_t>(first - bytes.begin())));
}

void MessageWriter::payload(Bytes bytes) {
    if (bytes.empty()) return;
    put(payload_marker);
    put(bytes);
}

Result<std::size_t> MessageWriter::finish() const {
    if (overflow_) return Error{"size", "the CoAP answer does not fit into one datagram", out_.size()};
    return length_;
}

}  // namespace unibpf::coap
