#include "guest/elements/debug/print.hpp"

#include <algorithm>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

Status write_active(Element& element, std::string_view value) {
    bool active = false;
    if (!read_word(value, active)) return Error{"handler", "expected `true` or `false`"};
    static_cast<Print&>(element).set_active(active);
    return done();
}

constexpr Handler handler_rows[] = {
    count_handler,
    {"active", [](const Element& e, Text& out) { out.put(static_cast<const Print&>(e).active() ? "true" : "false"); }, write_active},
};

}  // namespace

constinit const ElementClass Print::class_row{"Print", "1/1", "a/a", "[LABEL] [, MAXLENGTH, CONTENTS, TIMESTAMP, HEADROOM, ACTIVE]", "writes packets to the console", handler_rows, {}, create_element<Print>};

void Print::configure(Args& args) {
    args.optional("LABEL", label_);
    args.optional("MAXLENGTH", max_length_);
    args.keyword("NBYTES", max_length_);
    args.keyword("ACTIVE", active_);
    args.keyword("TIMESTAMP", timestamp_);
    args.keyword("HEADROOM", headroom_);
    std::string_view contents = "HEX";
    args.keyword("CONTENTS", contents);
    if (!read_packet_text(contents, contents_)) args.error("got CONTENTS `", contents, "`, expected `HEX`, `ASCII` or `NONE`");
    if (label_.size() > longest_label) args.error("label is longer than ", longest_label, " bytes");
}

void Print::initialize(Environment& environment, Errors&) { write_ = environment.print; }

void Print::print(const Packet& packet) const {
    char buffer[longest_print_line];
    Text line{buffer};
    if (!label_.empty()) line.put(label_).put(": ");
    if (timestamp_) {
        put_time(line, packet.arrival_ns);
        line.put(": ");
    }
    put_padded(line, packet.length(), 4);
    if (headroom_) line.put(" (h").number(packet.headroom()).put(" t").number(packet.tailroom()).put(')');
    const std::size_t most = max_length_ < 0 ? packet.length() : static_cast<std::size_t>(max_length_);
    const std::size_t shown = contents_ == PacketText::none ? 0 : std::min<std::size_t>(packet.length(), most);
    if (shown > 0) line.put(" | ");
    put_bytes(line, packet.bytes().first(shown), contents_);
    write_(line.put('\n').view());
}

void Print::process(Batch& batch) {
    if (!active_ || !write_) return;
    for (const Packet& packet : batch) print(packet);
}

}  // namespace unibpf
