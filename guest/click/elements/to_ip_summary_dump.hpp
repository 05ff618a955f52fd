#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "guest/click/summary_fields.hpp"
#include "guest/graph/element.hpp"

namespace unibpf::click {

// ToIPSummaryDump - writes a line for each packet
//
//   ToIPSummaryDump(FILENAME [, CONTENTS, FIELDS, HEADER, VERBOSE, BANNER, MULTIPACKET, BAD_PACKETS, CAREFUL_TRUNC, EXTRA_LENGTH])
//
// The words of a line are the CONTENTS of its packet, `-` where it has no such field. Packets go on by output 0 if there is one.
class ToIPSummaryDump : public Element {
  public:
    static const ElementClass class_row;
    ~ToIPSummaryDump() override;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void process(Batch& batch) override;
    bool has_task() const override { return inputs() > 0 && input(0).connected() && outputs() == 0; }
    bool run_task() override;
    void flush() const;

  private:
    void write_header();
    void write(Packet& packet);

    std::FILE* file_ = nullptr;
    std::string name_, banner_;
    std::vector<const SummaryField*> fields_;
    bool header_ = true;
    bool multipacket_ = false;
    bool bad_packets_ = false;
    bool has_count_ = false;
};

}  // namespace unibpf::click
