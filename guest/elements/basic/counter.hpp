#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// Counter - counts packets and bytes
//
//   Counter
//
// Passes packets unchanged and counts them.
// Ports: one agnostic input, one agnostic output.
// Handlers: count, byte_count (read), reset_counts (write).
// Example: FromDevice(eth0) -> received :: Counter -> Discard;
class Counter : public Element {
  public:
    static const ElementClass class_row;

    void process(Batch& batch) override;
    void take_state(Element& old) override;

    std::uint64_t bytes() const { return bytes_; }
    void reset();

  private:
    std::uint64_t bytes_ = 0;
};

}  // namespace unibpf
