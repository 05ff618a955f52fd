#pragma once

#include "guest/click/elements/file_source.hpp"
#include "guest/click/elements/summary_packet.hpp"

namespace unibpf::click {

// FromIPSummaryDump - makes packets from the lines of an IP summary dump
//
//   FromIPSummaryDump(FILENAME [, STOP, TIMING, ACTIVE, SAMPLE, PROTO, CHECKSUM, ZERO, CONTENTS, FIELDS, MULTIPACKET, FLOWID])
//
// A line `!data FIELD ...` says what the words of the lines after it are; CONTENTS says it beforehand. `!proto` and `!flowid` give
// what the fields leave out. A line that cannot be read is complained of, once for each kind of fault.
class FromIPSummaryDump : public FileSource {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;

  protected:
    PacketPtr next_packet() override;
    bool open_done(Errors&) override { return true; }

  private:
    bool read_line(std::string& line);
    void directive(std::string_view line);
    bool set_fields(std::string_view text);
    void set_flow(std::string_view text);
    bool parse(std::string_view line, Summary& summary);
    void complain(std::string_view text);

    SummaryPacketOptions options_;
    std::vector<const SummaryField*> fields_;
    Summary flow_;
    Summary current_;            // whose copies are still to be sent
    std::uint32_t copies_ = 0;
    std::uint32_t line_ = 0;
    bool multipacket_ = false;
    bool complained_ = false;
};

}  // namespace unibpf::click
