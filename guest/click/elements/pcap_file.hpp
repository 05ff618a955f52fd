// The classic pcap format (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace unibpf::click {

inline constexpr std::uint32_t link_ethernet = 1, link_raw = 101, link_raw_bsd = 12;

struct PcapRecord {
    std::uint64_t time_ns = 0;
    std::uint32_t length = 0;  // on the wire
    std::string bytes;         // as captured
};

class PcapReader {
  public:
    // Empty, or what is wrong with the file.
    std::string_view open(std::FILE* file);
    std::uint32_t link() const { return link_; }
    bool next(PcapRecord& record);  // false at the end, or where the file is cut

  private:
    std::uint32_t get32(const unsigned char* at) const;

    std::FILE* file_ = nullptr;
    std::uint32_t link_ = 0;
    bool swapped_ = false;
    bool nanoseconds_ = false;
};

void write_pcap_header(std::FILE* file, std::uint32_t link, std::uint32_t snap_length);
void write_pcap_record(std::FILE* file, const PcapRecord& record);

}  // namespace unibpf::click
