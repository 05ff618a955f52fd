// Chains of calls: which function was called where, from the start of a run on. Every place of a certificate names its chain, so
// that each call has places of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

namespace unibpf::certificate {

class Cbor;

enum class Role : std::uint8_t {
    start = 0,
    subprogram = 1,
    callback = 2
};

struct Chain {
    std::uint32_t parent = 0;  // of a start: itself
    std::uint32_t at = 0;      // the calling instruction; of a start: the first one
    Role role = Role::start;
    std::uint32_t depth = 0;   // frames below this one
    std::uint32_t start = 0;   // chain with which the run began
    bool in_callback = false;
};

class Chains {
  public:
    void read(Cbor& in);
    std::size_t size() const { return chains_.size(); }
    const Chain& operator[](std::size_t index) const { return chains_[index]; }
    std::optional<std::uint32_t> find(std::uint32_t parent, std::uint32_t at, Role role) const;

  private:
    std::vector<Chain> chains_;
    std::map<std::tuple<std::uint32_t, std::uint32_t, Role>, std::uint32_t> places_;
};

}  // namespace unibpf::certificate
