#include "guest/elements/ip/aggregate.hpp"

#include "guest/elements/handlers.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

namespace {

constexpr Handler handler_rows[] = {count_handler, drops_handler};

struct Field {
    std::string_view name;
    bool transport;
    std::uint8_t offset;
    std::uint32_t mask;
};
constexpr Field fields[] = {
    {"src", false, 12, 0xffff'ffff},
    {"dst", false, 16, 0xffff'ffff},
    {"proto", false, 8, 0x00ff'0000},
    {"ttl", false, 8, 0xff00'0000},
    {"tos", false, 0, 0x00ff'0000},
    {"len", false, 0, 0x0000'ffff},
    {"id", false, 4, 0xffff'0000},
    {"sport", true, 0, 0xffff'0000},
    {"dport", true, 0, 0x0000'ffff},
};

}  // namespace

constinit const ElementClass AggregateIP::class_row{
    "AggregateIP", "1/1-2", "a/ah", "FIELD", "sets the aggregate annotation from a field of the header", handler_rows, reason_list<DropReason::no_match>, create_element<AggregateIP>};

void AggregateIP::configure(Args& args) {
    std::string_view text;
    const Arg* arg = args.next();
    if (!arg) return args.error("missing argument `FIELD`");
    text = arg->text;
    std::string_view word = next_word(text);
    if (word == "ip" || word == "transp" || word == "tcp" || word == "udp") word = next_word(text);
    const std::size_t slash = word.find('/');
    std::uint32_t bits = 0;
    const bool cut = slash != std::string_view::npos;
    for (const Field& field : fields) {
        if (field.name != slice(word, 0, slash) || !next_word(text).empty()) continue;
        const auto width = static_cast<std::uint32_t>(__builtin_popcount(field.mask));
        if (cut && (!read_word(slice(word, slash + 1), bits) || bits == 0 || bits > width)) break;
        transport_ = field.transport;
        offset_ = field.offset;
        shift_ = static_cast<std::uint8_t>(__builtin_ctz(field.mask) + (cut ? width - bits : 0));
        mask_ = field.mask >> shift_;
        return;
    }
    args.errors().add(arg->place, "`", name(), "`: got `", arg->text, "`, expected a field such as `ip src/16` or `dport`");
}

bool AggregateIP::read(Packet& packet) const {
    const auto ip = wire::view<wire::Ipv4>(packet.network());
    if (!ip || (transport_ && (ip.fragment_offset() != 0 || ip.rest().size() < 4))) return false;
    const std::uint8_t* at = transport_ ? ip.rest().data() : ip.bytes().data() + offset_;
    packet.aggregate = wire::load32(at) >> shift_ & mask_;
    return true;
}

void AggregateIP::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return read(packet); }, DropReason::no_match);
}

}  // namespace unibpf
