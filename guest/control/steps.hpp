// Timings of one piece of control work: named steps with start and duration in nanoseconds (schemas/control.cddl `step`).
//
// The clock is handed in, so that what is timed needs none of its own; a Steps without a clock records nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace unibpf {

struct Step {
    std::string_view name;  // static storage
    std::uint64_t start_ns = 0;
    std::uint64_t duration_ns = 0;
};

class Steps {
  public:
    using Clock = std::uint64_t (*)();

    Steps() = default;
    // `origin_ns`: the instant that starts count from.
    Steps(Clock clock, std::uint64_t origin_ns) : clock_{clock}, origin_ns_{origin_ns} {}

    // Ends the step that runs and starts `name`.
    void begin(std::string_view name) {
        end();
        if (clock_ == nullptr || count_ == steps_.size()) return;
        steps_[count_] = Step{name, clock_() - origin_ns_, 0};
        running_ = true;
    }
    void end() {
        if (!running_) return;
        steps_[count_].duration_ns = clock_() - origin_ns_ - steps_[count_].start_ns;
        ++count_;
        running_ = false;
    }
    // A step that was timed elsewhere.
    void add(const Step& step) {
        end();
        if (count_ < steps_.size()) steps_[count_++] = step;
    }
    std::uint64_t origin_ns() const { return origin_ns_; }
    std::size_t size() const { return count_; }
    const Step& operator[](std::size_t index) const { return steps_[index]; }

  private:
    Clock clock_ = nullptr;
    std::uint64_t origin_ns_ = 0;
    std::array<Step, 16> steps_{};
    std::size_t count_ = 0;
    bool running_ = false;
};

}  // namespace unibpf
