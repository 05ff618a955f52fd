// What sources that read files share: when they send, what a LIMIT-less end means, the handlers.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "guest/graph/element.hpp"
#include "guest/graph/timer.hpp"

namespace unibpf::click {

class FileSource : public Element {
  public:
    ~FileSource() override;
    void initialize(Environment& environment, Errors& errors) override;
    bool has_task() const override { return output(0).connected(); }
    bool run_task() override;
    void run_timer(Timer&) override {}
    void pull(unsigned port, Batch& batch) override;

    bool active() const { return active_; }
    void set_active(bool active) { active_ = active; }
    std::uint64_t read_so_far() const { return sent_; }
    const std::string& file_name() const { return name_; }
    long position() const;
    void stop();

  protected:
    void configure_common(Args& args);
    // The next packet of the file; null at its end.
    virtual PacketPtr next_packet() = 0;
    virtual bool open_done(Errors& errors) = 0;  // the file is open

    std::FILE* file_ = nullptr;
    PacketPool* pool_ = nullptr;
    std::string name_;
    bool timing_ = false;
    bool stop_ = false;
    bool active_ = true;
    double sample_ = 1;

  private:
    PacketPtr due();
    void end();

    RunControl* run_ = nullptr;
    PacketPtr waiting_;  // read, but its time has not come
    Timer timer_;
    std::uint64_t sent_ = 0;
    std::uint64_t offset_ns_ = 0;  // from the file's times to ours
    bool timed_ = false;
    bool ended_ = false;
};

extern const Handler file_source_handlers[];
extern const std::size_t file_source_handler_count;

}  // namespace unibpf::click
