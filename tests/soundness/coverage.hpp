// Which forms of instructions the analyser has judged, on what: a table of operation, kinds of its operands, and outcome.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "services/verifier/native/report/report.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {

struct Outcome {
    std::uint64_t accepted = 0;  // instructions of accepted programs that some state reaches
    std::uint64_t refused = 0;   // instructions that a finding is about
};

class Coverage {
  public:
    void note(const std::vector<Instruction>& code, const analyser::Report& report);
    // `ldxsw stack accepted 12 refused 3`, a line each.
    void print() const;
    // Lines `FORM accepted|refused` of a file: false, and a line for each that has not been seen.
    bool holds(const char* path) const;

  private:
    void note_maps(const std::string& helper, const std::array<analyser::Claim, register_count>& registers, bool accepted);
    void count(const std::string& form, bool accepted);

    std::map<std::string, Outcome> seen_;
};

}  // namespace unibpf::soundness
