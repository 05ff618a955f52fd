// A network interface as the graph and the control element see it.
//
// Data path only, never blocks, never allocates. `transmit` takes every packet: what the device has no room for is dropped
// and counted. Nothing is sure to be on its way before `flush` (one kick a burst).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "guest/packet/packet.hpp"

namespace unibpf {

struct NicCounters {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    // drops, one field a reason
    std::uint64_t rx_no_slot = 0;     // the pool had no slot for the frame: its buffer went back to the device
    std::uint64_t rx_bad_length = 0;  // the device said a length that its buffer cannot hold, or less than an Ethernet header
    std::uint64_t rx_too_long = 0;    // a frame longer than a packet can be (Packet::longest_fresh)
    std::uint64_t rx_bad_id = 0;      // the device returned a buffer it was not given
    std::uint64_t tx_ring_full = 0;
    std::uint64_t tx_bad_length = 0;  // shorter than an Ethernet header or longer than the device takes

    std::uint64_t rx_dropped() const { return rx_bad_length + rx_bad_id + rx_too_long; }
    std::uint64_t tx_dropped() const { return tx_ring_full + tx_bad_length; }
};

using Mac = std::array<std::uint8_t, 6>;

class Nic {
  public:
    static constexpr std::size_t name_bytes = 15;
    static constexpr std::size_t most_nics = 16;  // NICs a guest can have

    virtual std::size_t receive(Batch& batch) = 0;  // appends what has arrived, as far as the batch has room
    virtual void transmit(Batch&& batch) = 0;
    // How many packets the device takes now at least; a puller that asks first loses none to a full ring.
    virtual std::size_t transmit_room() { return Batch::most_packets; }
    virtual void flush() = 0;
    // Can the NIC end platform::idle_until? Otherwise it has to be looked at every now and then.
    virtual bool interrupts() const { return true; }
    // Before the guest sleeps: may the device wake it by an interrupt? False: something has arrived, do not sleep.
    // After it woke: `wanted` false again, because the data path polls.
    virtual bool wait_for_interrupt(bool wanted) {
        (void)wanted;
        return true;
    }

    std::string_view name() const { return {name_.data(), name_length_}; }
    void set_name(std::string_view name);  // cut at name_bytes
    const Mac& mac() const { return mac_; }
    std::uint8_t index() const { return index_; }
    void set_index(std::uint8_t index) { index_ = index; }
    const NicCounters& counters() const { return counters_; }
    // It carries the control channel: its frames get slots that packets of the graph never get.
    void serve_management() { use_ = PacketPool::Use::management; }

  protected:
    Nic() = default;
    ~Nic() = default;  // NICs live as long as the guest
    Nic(const Nic&) = delete;
    Nic& operator=(const Nic&) = delete;

    Mac mac_{};
    NicCounters counters_;
    PacketPool::Use use_ = PacketPool::Use::data;
    std::uint8_t index_ = 0;

  private:
    std::array<char, name_bytes> name_{};
    std::uint8_t name_length_ = 0;
};

// Finds every NIC of the machine and makes it ready to receive; later calls give the same list. At most Nic::most_nics.
std::span<Nic* const> discover_nics();
// The NIC that bears this name (given from the boot image by MAC), or nullptr.
Nic* find_nic(std::string_view name);

}  // namespace unibpf
