#pragma once

#include "guest/graph/element.hpp"

namespace unibpf {

// What the sources share: what their packets hold, how many there are, and what happens after the last one.
class PacketSource : public Element {
  public:
    void initialize(Environment& environment, Errors& errors) override;

    std::uint64_t made() const { return made_; }
    bool active() const { return active_; }
    virtual void set_active(bool active) { active_ = active; }
    std::int64_t limit() const { return limit_; }
    void set_limit(std::int64_t limit) { limit_ = limit; }
    std::string_view data() const { return data_; }
    bool set_data(std::string_view data);
    std::uint32_t burst() const { return burst_; }
    void reset();

  protected:
    void configure_common(Args& args);
    // Ends what stays in force of a source: the driver, where STOP says so.
    void end_reached();
    bool exhausted() const { return limit_ >= 0 && made_ >= static_cast<std::uint64_t>(limit_); }
    // Appends the next packets, at most `most`; how many.
    std::size_t make(Batch& batch, std::size_t most);
    bool pushes() const { return output(0).connected(); }
    virtual void fill(Packet& packet) const;

    std::string_view data_;
    std::int64_t length_ = -1;
    std::int64_t limit_ = -1;
    std::uint32_t burst_ = 1;
    bool active_ = true;
    bool stop_ = false;
    bool timestamp_ = true;

  private:
    std::size_t packet_length() const { return length_ >= 0 ? static_cast<std::size_t>(length_) : data_.size(); }

    PacketPool* pool_ = nullptr;
    RunControl* run_ = nullptr;
    std::uint64_t made_ = 0;
    bool ended_ = false;
    char own_data_[256];  // what the `data` handler wrote
};

}  // namespace unibpf
