// Why a certificate is refused: thrown from wherever that is found, printed by main. Nothing that is refused is ever repaired.
#pragma once

#include <cstdint>
#include <string>

namespace unibpf::certificate {

struct Refusal {
    const char* rule;  // docs/rules: certificate-malformed, certificate-unproved, certificate-limits
    std::string message;
};

[[noreturn]] inline void malformed(std::string message) { throw Refusal{"certificate-malformed", std::move(message)}; }
[[noreturn]] inline void unproved(std::string message) { throw Refusal{"certificate-unproved", std::move(message)}; }
[[noreturn]] inline void too_large(std::string message) { throw Refusal{"certificate-limits", std::move(message)}; }

}  // namespace unibpf::certificate
