#pragma once

#include <array>

#include "guest/graph/element.hpp"

namespace unibpf {

// RED - drops packets early, by the length of queues
//
//   RED(MIN_THRESH, MAX_THRESH, MAX_P [, QUEUES "name ...", STABILITY n, GENTLE bool])
//
// Random early detection (Floyd, Jacobson 1993): the average length of the queues decides, QUEUES or the nearest ones after this element (before
// it, where it is pulled). Below MIN_THRESH nothing is dropped, from there up to MAX_THRESH with a chance that grows to MAX_P, above everything; with GENTLE
// the chance grows on to 1 at twice MAX_THRESH. STABILITY (default 4) is the average's weight: 2^-n a packet. What is dropped leaves by output 1 if there
// is one: MarkIPCE can mark instead of drop.
// Ports: one agnostic input, one or two outputs (agnostic, further ones push).
// Drops: early.
// Handlers: count, drops (read), min_thresh, max_thresh (read, write), max_p, avg_queue_size (read).
// Example: FromDevice(eth0) -> RED(5, 50, 0.02) -> Queue(200) -> ToDevice(eth1);
class RED : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void process(Batch& batch) override;
    void take_state(Element& old) override;

    std::uint32_t min_thresh() const { return min_; }
    std::uint32_t max_thresh() const { return max_; }
    std::uint32_t average() const { return static_cast<std::uint32_t>(average_ >> fraction_bits); }
    void set_min_thresh(std::uint32_t value) { min_ = value; }
    void set_max_thresh(std::uint32_t value) { max_ = value; }
    void print_probability(Text& out) const;

  private:
    static constexpr std::size_t most_queues = 16;
    static constexpr unsigned fraction_bits = 16;
    void find_queues(Element& from, bool down, unsigned depth);
    bool passes();

    std::uint32_t min_ = 0;
    std::uint32_t max_ = 0;
    std::uint32_t probability_ = 0;  // in 65536ths
    std::uint32_t stability_ = 4;
    bool gentle_ = false;
    std::string_view names_;
    std::array<const Element*, most_queues> queues_{};
    std::size_t queue_count_ = 0;
    std::uint64_t average_ = 0;
    std::uint32_t since_drop_ = 0;
};

}  // namespace unibpf
