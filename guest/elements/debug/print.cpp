#include "guest/elements/debug/print.hpp"

#include <algorithm>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_label = 64;

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

constinit const ElementClass Print::class_row{
    "Print", "1/1", "a/a", "[LABEL] [, MAXLENGTH, CONTENTS, ACTIVE]", "writes packets to the console", handler_rows, {}, create_element<Print>};

void Print::configure(Args& args) {
    args.optional("LABEL", label_);
    args.keyword("MAXLENGTH", max_length_);
    args.keyword("ACTIVE", active_);
    std::string_view contents = "HEX";
    args.keyword("CONTENTS", contents);
    hex_ = contents == "HEX";
    if (!hex_ && contents != "NONE") args.error("got CONTENTS `", contents, "`, expected `HEX` or `NONE`");
    if (max_length_ > most_printed_bytes) args.error("got MAXLENGTH ", max_length_, ", expected at most ", most_printed_bytes);
    if (label_.size() > max_label) args.error("label is longer than ", max_label, " bytes");
}

void Print::initialize(Environment& environment, Errors&) { write_ = environment.print; }

void Print::print(const Packet& packet) const {
    char buffer[max_label + 32 + most_printed_bytes * 9 / 4];
    Text line{buffer};
    if (!label_.empty()) line.put(label_).put(": ");
    line.number(packet.length());
    const std::size_t shown = hex_ ? std::min<std::size_t>(packet.length(), max_length_) : 0;
    for (std::size_t i = 0; i < shown; ++i) {
        if (i % 4 == 0) line.put(i == 0 ? " | " : " ");
        line.hex_byte(packet.data()[i]);
    }
    write_(line.put('\n').view());
}

void Print::process(Batch& batch) {
    if (!active_ || !write_) return;
    for (const Packet& packet : batch) print(packet);
}

}  // namespace unibpf
