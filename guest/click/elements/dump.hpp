#pragma once

#include <limits>

#include "guest/click/elements/file_source.hpp"
#include "guest/click/elements/pcap_file.hpp"

namespace unibpf::click {

// FromDump - sends the packets of a pcap file
//
//   FromDump(FILENAME [, STOP, TIMING, ACTIVE, SAMPLE, FORCE_IP, START, END, START_AFTER, END_AFTER, INTERVAL])
//
// With FORCE_IP only IP packets, from their IP header on. START to END (or after so much time from the first packet) cut a part out.
class FromDump : public FileSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;

  protected:
    PacketPtr next_packet() override;
    bool open_done(Errors& errors) override;

  private:
    bool in_time(std::uint64_t time_ns, bool& after);
    bool fill(const PcapRecord& record, Packet& packet) const;

    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

    PcapReader reader_;
    std::uint64_t start_ns_ = 0, end_ns_ = never;
    std::uint64_t start_after_ns_ = 0, end_after_ns_ = never;
    std::uint64_t first_ns_ = never;
    bool force_ip_ = false;
};

// ToDump - writes packets to a pcap file
//
//   ToDump(FILENAME [, SNAPLEN, ENCAP, EXTRA_LENGTH, USE_ENCAP_FROM, UNBUFFERED])
//
// ENCAP is ETHER (the default) or IP. Packets go on by output 0 if there is one.
class ToDump : public Element {
  public:
    static const ElementClass class_row;
    ~ToDump() override;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void process(Batch& batch) override;
    bool has_task() const override { return inputs() > 0 && input(0).connected() && outputs() == 0; }
    bool run_task() override;
    const std::string& file_name() const { return name_; }

  private:
    void write(const Packet& packet);

    std::FILE* file_ = nullptr;
    std::string name_;
    std::uint32_t snap_length_ = 2000;
    std::uint32_t link_ = link_ethernet;
    bool extra_length_ = true;
    bool unbuffered_ = false;
};

}  // namespace unibpf::click
