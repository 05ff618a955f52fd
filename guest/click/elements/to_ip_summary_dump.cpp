#include "guest/click/elements/to_ip_summary_dump.hpp"

#include <utility>

#include "guest/click/text/expand.hpp"
#include "guest/elements/handlers.hpp"

namespace unibpf::click {
namespace {

constexpr Handler handler_rows[] = {
    count_handler,
    {"flush", nullptr, [](Element& e, std::string_view) { return static_cast<const ToIPSummaryDump&>(e).flush(), done(); }},
};

}  // namespace

const ElementClass ToIPSummaryDump::class_row{
    "ToIPSummaryDump", "1/0-1", "a/a", "FILENAME [, CONTENTS, FIELDS, HEADER, VERBOSE, BANNER, MULTIPACKET, BAD_PACKETS, CAREFUL_TRUNC, EXTRA_LENGTH]", "writes a line for each packet", handler_rows, {}, create_element<ToIPSummaryDump>};

ToIPSummaryDump::~ToIPSummaryDump() {
    if (file_ && file_ != stdout) std::fclose(file_);
}

void ToIPSummaryDump::configure(Args& args) {
    std::string_view text;
    std::string contents = "ip_src ip_dst";
    bool ignored = false;
    if (args.required("FILENAME", text)) name_ = text;
    for (const char* keyword : {"CONTENTS", "FIELDS", "DATA"})
        if (const Arg* arg = args.next(keyword)) contents = slice(arg->raw, arg->keyword.size());  // with the quotes around its words
    args.keyword("HEADER", header_);
    if (args.keyword("BANNER", text)) banner_ = text;
    args.keyword("MULTIPACKET", multipacket_);
    args.keyword("BAD_PACKETS", bad_packets_);
    for (const char* keyword : {"VERBOSE", "CAREFUL_TRUNC", "EXTRA_LENGTH", "BINARY"}) args.keyword(keyword, ignored);
    for (const std::string& word : words_of(contents)) {
        const SummaryField* field = find_summary_field(word);
        if (!field) args.error("got CONTENTS `", word.c_str(), "`, which is no field");
        else fields_.push_back(field);
        has_count_ = has_count_ || (field && field->name == "count");
    }
}

void ToIPSummaryDump::initialize(Environment&, Errors& errors) {
    file_ = name_ == "-" ? stdout : std::fopen(name_.c_str(), "wb");
    if (!file_) return errors.add(place(), "`", this->name(), "`: ", name_.c_str(), ": cannot be written");
    if (header_) write_header();
}

void ToIPSummaryDump::write_header() {
    std::string text = "!IPSummaryDump 1.3\n";
    if (!banner_.empty()) text += "!creator " + quoted_bytes({reinterpret_cast<const std::uint8_t*>(banner_.data()), banner_.size()}) + "\n";
    text += "!data";
    for (const SummaryField* field : fields_) text += " " + std::string{field->name};
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), file_);
}

void ToIPSummaryDump::write(Packet& packet) {
    const SummaryView view{packet};
    std::string line;
    if (bad_packets_ && view.ip.empty()) line = "!bad no IP header\n";
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (i > 0) line += ' ';
        const std::size_t before = line.size();
        fields_[i]->write(view, line);
        if (line.size() == before) line += '-';
    }
    line += '\n';
    const std::uint32_t copies = multipacket_ && !has_count_ ? packet.extra_packets + 1 : 1;
    for (std::uint32_t i = 0; i < copies; ++i) std::fwrite(line.data(), 1, line.size(), file_);
}

void ToIPSummaryDump::process(Batch& batch) {
    for (Packet& packet : batch) write(packet);
}

void ToIPSummaryDump::push(unsigned, Batch&& batch) {
    process(batch);
    if (outputs() > 0 && output(0).connected()) output(0).push(std::move(batch));
    batch.clear();
}

bool ToIPSummaryDump::run_task() {
    Batch batch;
    input(0).pull(batch);
    if (batch.empty()) return false;
    count_packets(batch.size());
    process(batch);
    return true;
}

void ToIPSummaryDump::flush() const { std::fflush(file_); }

}  // namespace unibpf::click
