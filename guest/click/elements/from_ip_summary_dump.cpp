#include "guest/click/elements/from_ip_summary_dump.hpp"

#include <utility>

#include "guest/click/text/expand.hpp"

namespace unibpf::click {

const ElementClass FromIPSummaryDump::class_row{
    "FromIPSummaryDump", "0/1", "/a", "FILENAME [, STOP, TIMING, ACTIVE, SAMPLE, PROTO, CHECKSUM, ZERO, CONTENTS, FIELDS, MULTIPACKET, FLOWID]", "makes packets from the lines of an IP summary dump", {file_source_handlers, file_source_handler_count}, {}, create_element<FromIPSummaryDump>};

void FromIPSummaryDump::configure(Args& args) {
    configure_common(args);
    args.keyword("CHECKSUM", options_.checksum);
    args.keyword("ZERO", options_.zero);
    args.keyword("MULTIPACKET", multipacket_);
    std::string_view text;
    Summary protocol;
    if (args.keyword("PROTO", text)) {
        if (find_summary_field("ip_proto")->read(text, protocol)) options_.protocol = static_cast<std::uint8_t>(*protocol.protocol);
        else args.error("got PROTO `", text, "`, expected a protocol");
    }
    for (const char* keyword : {"CONTENTS", "FIELDS", "DEFAULT_CONTENTS", "DEFAULT_FIELDS"})
        if (const Arg* arg = args.next(keyword); arg && !set_fields(slice(arg->raw, arg->keyword.size())))
            args.error("got ", keyword, " `", arg->value, "`, which has an unknown field");
    for (const char* keyword : {"FLOWID", "DEFAULT_FLOWID"})
        if (args.keyword(keyword, text)) set_flow(text);
    bool ignored = false;
    args.keyword("ALLOW_NONEXISTENT", ignored);
}

bool FromIPSummaryDump::read_line(std::string& line) {
    line.clear();
    for (int c; (c = std::fgetc(file_)) != EOF;) {
        if (c == '\n') return ++line_, true;
        line += static_cast<char>(c);
    }
    return !line.empty();
}

void FromIPSummaryDump::complain(std::string_view text) {
    if (std::exchange(complained_, true)) return;
    const std::string where = name_ + ":" + std::to_string(line_) + ": " + std::string{text} + "\n";
    std::fputs(where.c_str(), stderr);
}

bool FromIPSummaryDump::set_fields(std::string_view text) {
    fields_.clear();
    bool known = true;
    for (const std::string& word : words_of(text)) {
        const SummaryField* field = find_summary_field(word);
        known = known && (field || word == "none" || word == "-");
        fields_.push_back(field);
    }
    return known;
}

void FromIPSummaryDump::set_flow(std::string_view text) {
    constexpr std::string_view names[] = {"ip_src", "sport", "ip_dst", "dport", "ip_proto"};
    flow_ = {};
    std::size_t i = 0;
    for (const std::string& word : words_of(text))
        if (i < std::size(names)) {
            const SummaryField* field = find_summary_field(names[i++]);
            if (word != "-" && !field->read(word, flow_)) complain("bad flow ID");
        }
}

void FromIPSummaryDump::directive(std::string_view line) {
    line.remove_prefix(1);
    const std::string_view word = take_word(line);
    Summary protocol;
    if (word == "data" || word == "contents") {
        if (!set_fields(line)) complain("unknown field in `!data`");
    } else if (word == "flowid") {
        set_flow(line);
    } else if (word == "proto") {
        if (find_summary_field("ip_proto")->read(line, protocol)) options_.protocol = static_cast<std::uint8_t>(*protocol.protocol);
    }
}

bool FromIPSummaryDump::parse(std::string_view line, Summary& summary) {
    summary = flow_;
    bool any = false;
    for (const SummaryField* field : fields_) {
        const std::string_view raw = take_word(line);
        if (raw.empty()) break;
        if (raw == "-" || !field || !field->read) {
            any = any || raw == "-";
            continue;
        }
        if (field->read(unquoted_text(raw), summary)) any = true;
        else complain("bad `" + std::string{field->name} + "`");
    }
    return any;
}

PacketPtr FromIPSummaryDump::next_packet() {
    std::string line;
    while (copies_ == 0) {
        if (!read_line(line)) return {};
        while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
        if (line.empty() || line[0] == '#') continue;
        if (line[0] == '!') {
            directive(line);
            continue;
        }
        if (fields_.empty()) complain("no `!data` before the first packet");
        if (!parse(line, current_)) continue;
        copies_ = 1;
        if (multipacket_ && current_.extra_packets) copies_ += *std::exchange(current_.extra_packets, 0u);
    }
    PacketPtr packet = pool_->acquire();
    if (!packet) return {};
    --copies_;
    fill_packet(current_, options_, *packet);
    return packet;
}

}  // namespace unibpf::click
