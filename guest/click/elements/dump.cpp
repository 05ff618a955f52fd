#include "guest/click/elements/dump.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/elements/handlers.hpp"

namespace unibpf::click {
namespace {

constexpr Handler to_dump_rows[] = {
    count_handler,
    {"filename", [](const Element& e, Text& out) { out.put(static_cast<const ToDump&>(e).file_name()); }},
};

// Where the IPv4 or IPv6 header begins; npos when there is none.
std::size_t ip_offset(std::string_view bytes, std::uint32_t link) {
    constexpr std::size_t none = std::string_view::npos;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
    std::size_t offset = 0;
    if (link == link_ethernet) {
        offset = 14;
        if (bytes.size() < 18) return none;
        while (byte(offset - 2) == 0x81 && byte(offset - 1) == 0 && offset + 4 < bytes.size()) offset += 4;
        const int type = byte(offset - 2) << 8 | byte(offset - 1);
        if (type != 0x0800 && type != 0x86dd) return none;
    }
    if (offset >= bytes.size()) return none;
    return byte(offset) >> 4 == 4 || byte(offset) >> 4 == 6 ? offset : none;
}

bool is_raw(std::uint32_t link) { return link == link_raw || link == link_raw_bsd; }

}  // namespace

const ElementClass FromDump::class_row{
    "FromDump", "0/1", "/a", "FILENAME [, STOP, TIMING, ACTIVE, SAMPLE, FORCE_IP, START, END, START_AFTER, END_AFTER, INTERVAL]", "sends the packets of a pcap file", {file_source_handlers, file_source_handler_count}, {}, create_element<FromDump>};
const ElementClass ToDump::class_row{
    "ToDump", "1/0-1", "a/a", "FILENAME [, SNAPLEN, ENCAP, EXTRA_LENGTH, USE_ENCAP_FROM, UNBUFFERED]", "writes packets to a pcap file", to_dump_rows, {}, create_element<ToDump>};

void FromDump::configure(Args& args) {
    configure_common(args);
    Duration time;
    std::string_view text;
    bool ignored = false;
    args.keyword("FORCE_IP", force_ip_);
    if (args.keyword("START", time)) start_ns_ = time.ns;
    if (args.keyword("END", time)) end_ns_ = time.ns;
    if (args.keyword("START_AFTER", time)) start_after_ns_ = time.ns;
    if (args.keyword("END_AFTER", time)) end_after_ns_ = time.ns;
    if (args.keyword("INTERVAL", time)) end_after_ns_ = start_after_ns_ + time.ns;
    for (const char* keyword : {"MMAP", "EXTRA_LENGTH", "FORCE_LEN"}) args.keyword(keyword, ignored);
    for (const char* keyword : {"END_CALL", "PACKET_FILEPOS", "BURST"}) args.keyword(keyword, text);
}

bool FromDump::open_done(Errors& errors) {
    const std::string_view fault = reader_.open(file_);
    if (!fault.empty()) errors.add(place(), "`", this->name(), "`: ", name_.c_str(), " ", fault);
    return fault.empty();
}

bool FromDump::in_time(std::uint64_t time_ns, bool& after) {
    if (first_ns_ == never) first_ns_ = time_ns;
    const std::uint64_t passed = time_ns >= first_ns_ ? time_ns - first_ns_ : 0;
    after = time_ns >= end_ns_ || passed >= end_after_ns_;
    return time_ns >= start_ns_ && passed >= start_after_ns_;
}

bool FromDump::fill(const PcapRecord& record, Packet& packet) const {
    std::string_view bytes = record.bytes;
    const std::size_t ip = ip_offset(bytes, reader_.link());
    if (force_ip_ && ip == std::string_view::npos) return false;
    if (force_ip_) bytes.remove_prefix(ip);
    const std::size_t kept = std::min<std::size_t>(bytes.size(), Packet::longest_fresh);
    packet.put(static_cast<std::uint16_t>(kept));
    std::memcpy(packet.data(), bytes.data(), kept);
    if ((force_ip_ || is_raw(reader_.link())) && kept > 0) {
        packet.set_network(0);
        if (packet.data()[0] >> 4 == 4) packet.set_transport(static_cast<std::uint16_t>((packet.data()[0] & 15) * 4));
    }
    packet.arrival_ns = record.time_ns;
    const std::size_t length = std::max<std::size_t>(record.length, record.bytes.size()) - (record.bytes.size() - bytes.size());
    packet.extra_length = static_cast<std::uint32_t>(length - kept);
    return true;
}

PacketPtr FromDump::next_packet() {
    PcapRecord record;
    while (reader_.next(record)) {
        bool after = false;
        const bool in = in_time(record.time_ns, after);
        if (after) return {};
        if (!in) continue;
        PacketPtr packet = pool_->acquire();
        if (!packet || fill(record, *packet)) return packet;
    }
    return {};
}

ToDump::~ToDump() {
    if (file_ && file_ != stdout) std::fclose(file_);
}

void ToDump::configure(Args& args) {
    std::string_view text, encap = "ETHER";
    if (args.required("FILENAME", text)) name_ = text;
    args.optional("SNAPLEN", snap_length_);
    args.optional("ENCAP", encap);
    args.keyword("EXTRA_LENGTH", extra_length_);
    args.keyword("UNBUFFERED", unbuffered_);
    args.keyword("USE_ENCAP_FROM", text);
    if (encap == "IP") link_ = link_raw;
    else if (encap != "ETHER") args.error("got ENCAP `", encap, "`, expected `ETHER` or `IP`");
    if (snap_length_ == 0) snap_length_ = 0xffff;
}

void ToDump::initialize(Environment&, Errors& errors) {
    file_ = name_ == "-" ? stdout : std::fopen(name_.c_str(), "wb");
    if (!file_) return errors.add(place(), "`", this->name(), "`: ", name_.c_str(), ": cannot be written");
    write_pcap_header(file_, link_, snap_length_);
}

void ToDump::write(const Packet& packet) {
    const std::size_t kept = std::min<std::size_t>(packet.length(), snap_length_);
    const std::uint32_t length = packet.length() + (extra_length_ ? packet.extra_length : 0);
    write_pcap_record(file_, {packet.arrival_ns, length, {reinterpret_cast<const char*>(packet.data()), kept}});
    if (unbuffered_) std::fflush(file_);
}

void ToDump::process(Batch& batch) {
    for (const Packet& packet : batch) write(packet);
}

void ToDump::push(unsigned, Batch&& batch) {
    process(batch);
    if (outputs() > 0 && output(0).connected()) output(0).push(std::move(batch));
    batch.clear();
}

bool ToDump::run_task() {
    Batch batch;
    input(0).pull(batch);
    if (batch.empty()) return false;
    count_packets(batch.size());
    process(batch);
    return true;
}

}  // namespace unibpf::click
