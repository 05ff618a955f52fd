// A NIC whose wire is two pcap files: what arrives, at its times, and what is sent.
#pragma once

#include <cstdio>
#include <string>

#include "guest/click/elements/pcap_file.hpp"
#include "guest/drivers/nic.hpp"

namespace unibpf::click {

class PcapNic final : public Nic {
  public:
    // `specification`: NAME=IN,OUT; either file may be left out. Empty, or what is wrong.
    std::string open(std::string_view specification);
    void close();

    std::size_t receive(Batch& batch) override;
    void transmit(Batch&& batch) override;
    void flush() override {}

    // Nothing arrives any more.
    bool at_end() const { return !waiting_; }
    std::uint64_t next_ns() const { return next_.time_ns; }
    void set_clock(const std::uint64_t* now_ns) { now_ns_ = now_ns; }

  private:
    void read_ahead();

    PcapReader reader_;
    PcapRecord next_;
    bool waiting_ = false;  // `next_` is still to arrive
    std::FILE* in_ = nullptr;
    std::FILE* out_ = nullptr;
    const std::uint64_t* now_ns_ = nullptr;
};

}  // namespace unibpf::click
