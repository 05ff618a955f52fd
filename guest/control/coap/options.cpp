#include "guest/control/coap/options.hpp"

#include <algorithm>

namespace unibpf::coap {

namespace {

constexpr std::uint32_t reserved_size_exponent = 7;

std::string_view as_text(Bytes bytes) {
    // Sound: char may alias the datagram's bytes.
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool recognised(const OptionRow* row, const Option& option, bool repeats) {
    return row != nullptr && option.value.size() >= row->shortest && option.value.size() <= row->longest &&
           (!repeats || row->repeatable);
}

Status apply(RequestOptions& options, const Option& option) {
    switch (option.number) {
        case option::uri_path:
            if (options.segments.full()) return Error{"path", "no resource has so many path segments", max_path_segments};
            TRY(options.path.append(as_text(option.value)));
            options.segments.push(as_text(option.value));
            break;
        case option::content_format: options.content_format = static_cast<std::uint16_t>(read_uint(option.value)); break;
        case option::accept: options.accept = static_cast<std::uint16_t>(read_uint(option.value)); break;
        case option::block1: options.block1 = TRY(read_block(option.value)); break;
        case option::block2: options.block2 = TRY(read_block(option.value)); break;
        case option::size1: options.size1 = read_uint(option.value); break;
        case option::request_tag: options.request_tag = option.value; break;
        case option::trace_context: options.trace_context = option.value; break;
        case option::proxy_uri:
        case option::proxy_scheme: options.wants_proxy = true; break;
        default: break;  // recognised and without effect here: Uri-Host, Uri-Port, ETag, Size2
    }
    return done();
}

}  // namespace

Status Path::append(std::string_view segment) {
    if (segment.empty() || segment.find('/') != std::string_view::npos) {
        return Error{"path", "a path segment is empty or contains a slash", segment.size()};
    }
    if (segment.size() + 1 > text_.size() - length_) return Error{"path", "the path is too long", max_path_length};
    text_[length_++] = '/';
    std::copy(segment.begin(), segment.end(), text_.begin() + static_cast<std::ptrdiff_t>(length_));
    length_ += segment.size();
    return done();
}

const OptionRow* find_option(std::uint16_t number) {
    for (const OptionRow& row : option_table) {
        if (row.number == number) return &row;
    }
    return nullptr;
}

std::uint32_t read_uint(Bytes value) {
    std::uint32_t number = 0;
    for (const std::uint8_t byte : value) number = number << 8 | byte;
    return number;
}

Result<Block> read_block(Bytes value) {
    const std::uint32_t raw = read_uint(value);
    if ((raw & 7) == reserved_size_exponent) return Error{"block", "block size exponent 7 is reserved", raw};
    return Block{raw >> 4, (raw & 8) != 0, static_cast<std::uint8_t>(raw & 7)};
}

Result<RequestOptions> read_options(const Message& message) {
    RequestOptions options;
    std::optional<std::uint16_t> last;
    for (const Option& option : message.options) {
        const bool repeats = last == option.number;
        last = option.number;
        if (recognised(find_option(option.number), option, repeats)) {
            TRY(apply(options, option));
        } else if (is_critical(option.number)) {
            return Error{"option", "a critical option is unknown, repeated or of a wrong length", option.number};
        }
    }
    return options;
}

}  // namespace unibpf::coap
