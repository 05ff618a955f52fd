// Rings: records that programs leave for control (Documentation/bpf/ringbuf.rst): ring buffers and the ring of a
// perf_event_array.
//
// A record is an 8-byte header (u32 length with two marks in its high bits, u32 zero) and its bytes, up to the next multiple of 8.
// Positions count bytes since the ring was made and never fall; [consumed, produced) is at most the ring's size and always
// begins at a header. A record lies in one piece at its position modulo the size: after the last byte of the ring there is
// memory for the one record that would wrap.
// A record that is still busy when control looks was reserved by a run that was stopped (budget, fault), because control never
// sees a run in its midst: it counts as discarded.
#pragma once

#include "guest/bpf/maps/map.hpp"

namespace unibpf {

class RingMap final : public Map {
  public:
    static constexpr std::uint32_t busy = 1U << 31, discarded = 1U << 30;  // marks in a header's length
    static constexpr std::uint32_t header_bytes = 8;
    static constexpr std::uint32_t records_a_step = scan_places;  // that control looks at in one call

    // Null when the ring has no room: then one more is lost.
    std::uint8_t* reserve(std::uint64_t bytes);
    static void submit(std::uint8_t* record, bool discard);
    // bpf_ringbuf_output: 0, or -EAGAIN without room. Two parts make one record; the second one may be empty.
    long output(std::span<const std::uint8_t> first, std::span<const std::uint8_t> second);

    std::uint64_t size() const { return size_; }
    std::uint64_t consumed() const { return head().consumed; }
    std::uint64_t produced() const { return head().produced; }
    std::uint64_t lost() const { return head().lost; }
    // Where the control channel counts positions from: the time of birth. So a position of an older ring (before a reboot or a
    // reset) lies before all of this one's and acknowledges nothing.
    std::uint64_t origin() const { return origin_; }

    // Control's side; hold NoPreempt around one call. The first record at `position` or after it that was not discarded; its bytes
    // stay as they are until it is consumed. Looks at 64 records at most.
    struct Step {
        bool found = false;
        std::span<const std::uint8_t> record{};
        std::uint64_t next = 0;  // position after what was looked at
    };
    Step read(std::uint64_t position) const;
    // Gives back the room of records that end at `position` or before, 64 at most; true: call again.
    bool consume(std::uint64_t position);
    // consume with the rights of the programs that write the ring; false when a fault ended it.
    bool give_back(std::uint64_t position);

    ScanStep scan(std::uint32_t, std::uint8_t*, std::uint8_t*) const override { return {}; }
    // Inside a record that is reserved and not yet submitted?
    bool contains(std::uintptr_t address, std::size_t bytes) const override;
    bool is_reserved(std::uintptr_t record) const;

  private:
    Status allocate(const BundleMap& spec) override;
    std::uint8_t* at(std::uint64_t position) const { return storage() + (position & (size_ - 1)); }
    std::uint32_t header(std::uint64_t position) const;
    static std::uint64_t room_of(std::uint32_t header);
    template <typename Each>
    bool any_reserved(Each&& each) const;

    std::uint64_t size_ = 0, origin_ = 0;
};

}  // namespace unibpf
