#include "guest/click/elements/pcap_file.hpp"

#include <cstring>

namespace unibpf::click {
namespace {

constexpr std::uint32_t magic_micro = 0xa1b2c3d4, magic_nano = 0xa1b23c4d;
constexpr std::uint32_t longest_record = 256 * 1024;

void put(std::FILE* file, std::uint32_t value) { std::fwrite(&value, sizeof value, 1, file); }

}  // namespace

std::uint32_t PcapReader::get32(const unsigned char* at) const {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return swapped_ ? __builtin_bswap32(value) : value;
}

std::string_view PcapReader::open(std::FILE* file) {
    file_ = file;
    unsigned char header[24];
    if (std::fread(header, 1, sizeof header, file) != sizeof header) return "is no pcap file: it is too short";
    for (const bool swapped : {false, true}) {
        swapped_ = swapped;
        const std::uint32_t magic = get32(header);
        nanoseconds_ = magic == magic_nano;
        if (magic != magic_micro && magic != magic_nano) continue;
        link_ = get32(header + 20) & 0x0fffffff;
        return {};
    }
    return "is no pcap file: its first bytes are others";
}

bool PcapReader::next(PcapRecord& record) {
    unsigned char header[16];
    if (std::fread(header, 1, sizeof header, file_) != sizeof header) return false;
    record.time_ns = get32(header) * std::uint64_t{1'000'000'000} + get32(header + 4) * std::uint64_t{nanoseconds_ ? 1u : 1000u};
    const std::uint32_t captured = get32(header + 8);
    record.length = get32(header + 12);
    if (captured > longest_record) return false;
    record.bytes.resize(captured);
    return std::fread(record.bytes.data(), 1, captured, file_) == captured;
}

void write_pcap_header(std::FILE* file, std::uint32_t link, std::uint32_t snap_length) {
    for (const std::uint32_t value : {magic_micro, 0x0004'0002u, 0u, 0u, snap_length, link}) put(file, value);
}

void write_pcap_record(std::FILE* file, const PcapRecord& record) {
    put(file, static_cast<std::uint32_t>(record.time_ns / 1'000'000'000));
    put(file, static_cast<std::uint32_t>(record.time_ns % 1'000'000'000 / 1000));
    put(file, static_cast<std::uint32_t>(record.bytes.size()));
    put(file, record.length);
    std::fwrite(record.bytes.data(), 1, record.bytes.size(), file);
}

}  // namespace unibpf::click
