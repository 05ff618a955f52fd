// A QEMU `stream` netdev on a unix socket: each frame after a 4-byte big-endian length.
//
// Sending never waits: a frame that the socket does not take at once is refused and counted by the caller as lost, so a
// slow guest cannot slow the generator down. A frame that was taken in part is finished first; it is never torn.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace pktgen {

class Stream {
  public:
    // Connects to `path` (QEMU listens), trying again for two seconds; throws std::runtime_error.
    explicit Stream(const std::string& path);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    int descriptor() const { return descriptor_; }

    // Queues one frame into the batch that `flush` writes.
    void add(std::span<const std::uint8_t> frame);

    // Writes the batch in one call; returns how many whole frames the socket refused.
    std::size_t flush();

    // Reads what is there and calls `on_frame` for each whole frame; false at end of file.
    bool receive(const std::function<void(std::span<const std::uint8_t>)>& on_frame);

  private:
    int descriptor_ = -1;
    std::vector<std::uint8_t> batch_;
    std::vector<std::size_t> frame_ends_;  // offsets in batch_ where each frame ends
    std::vector<std::uint8_t> unfinished_;  // rest of a frame that was taken in part
    std::vector<std::uint8_t> input_;
};

}  // namespace pktgen
