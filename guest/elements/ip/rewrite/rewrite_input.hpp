// RewriteInput: what a rewriter does with packets of one input that belong to no flow yet.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/elements/ip/rewrite/flow_table.hpp"

namespace unibpf {

// `SADDR[-SADDR2|/LEN] SPORT[-SPORT2[#|?]] DADDR DPORT`, each of which may be `-`: as it is.
struct RewritePattern {
    std::uint32_t source = 0, last_source = 0;
    std::uint16_t source_port = 0, last_source_port = 0;
    std::uint32_t destination = 0;
    std::uint16_t destination_port = 0;
    bool sequential = false;
    bool random = false;
    std::uint32_t next = 0;  // where the next search begins

    // How many different flows one flow could become.
    std::uint64_t variations() const;
    // The flow as variation `n` has it.
    FlowKey apply(const FlowKey& key, std::uint64_t n) const;
};

struct RewriteInput {
    enum class Kind : std::uint8_t {
        drop,
        pass,
        keep,
        pattern
    };
    Kind kind = Kind::drop;
    std::uint16_t outputs[2] = {0, 0};
    RewritePattern pattern;
};

// Which fields patterns of a class have.
struct PatternForm {
    bool ports = true;         // SPORT and DPORT, or an identifier and `-`
    bool destination = true;   // DADDR
};

bool read_pattern(std::string_view text, PatternForm form, RewritePattern& pattern);

}  // namespace unibpf
