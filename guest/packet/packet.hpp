// Packets: a packet slot each, owned by exactly one PacketPtr, moved in Batches, never copied, never zeroed.
//
// A packet slot is 2048 bytes below 4 GiB:
//     | device room (128) | headroom 256 | frame ... tailroom |
// Devices DMA straight into the slot; the device room lets a driver put its header before a frame whose headroom is all
// used. The Packet itself lies elsewhere: slots are all that devices and isolated programs write (platform.hpp). `head_` and `tail_` are offsets in the slot: least_start <= head_ <= tail_ <= slot_bytes always holds, and every move that
// would break it is refused by returning false (the packet is then unchanged). So no caller can reach outside the slot.
// A PacketPtr that goes out of scope gives its slot back: a leak or a double use does not compile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "guest/core/result.hpp"

namespace unibpf {

class PacketPool;
class PacketPtr;

// Whom a link-layer frame was sent to, as Linux numbers it.
enum class PacketType : std::uint8_t {
    host = 0,
    broadcast = 1,
    multicast = 2,
    other_host = 3,
    outgoing = 4,
};

class alignas(64) Packet {
  public:
    static constexpr std::uint16_t slot_bytes = 2048;
    static constexpr std::uint16_t device_room = 128;
    static constexpr std::uint16_t fresh_headroom = 256;
    static constexpr std::uint16_t least_start = device_room;                // lowest offset a frame may start at
    static constexpr std::uint16_t fresh_start = least_start + fresh_headroom;         // where a fresh frame starts
    static constexpr std::uint16_t longest_fresh = slot_bytes - fresh_start;      // longest fresh frame
    static constexpr std::uint16_t no_offset = 0xffff;

    std::uint8_t* data() { return slot_ + head_; }
    const std::uint8_t* data() const { return slot_ + head_; }
    std::uint8_t* end() { return slot_ + tail_; }
    std::uint16_t length() const { return static_cast<std::uint16_t>(tail_ - head_); }
    std::span<std::uint8_t> bytes() { return {data(), length()}; }
    std::span<const std::uint8_t> bytes() const { return {data(), length()}; }
    std::uint16_t headroom() const { return static_cast<std::uint16_t>(head_ - least_start); }
    std::uint16_t tailroom() const { return static_cast<std::uint16_t>(slot_bytes - tail_); }

    // The frame's head and tail move by n bytes; new bytes hold whatever the slot held. False: no room, nothing changed.
    // Metadata (below) goes when the head moves.
    bool push(std::uint16_t n);  // longer at the head
    bool pull(std::uint16_t n);  // shorter at the head
    bool put(std::uint16_t n);   // longer at the tail
    bool trim(std::uint16_t n);  // shorter at the tail

    // What a program wrote right before the frame for the next one to read: XDP's metadata, part of the headroom. set_metadata wants
    // bytes <= headroom().
    std::uint8_t metadata() const { return metadata_; }
    void set_metadata(std::uint8_t bytes) { metadata_ = bytes; }
    // The head moves by `by` bytes and the metadata's bytes with it. False: no room for both, nothing changed.
    bool move_head(std::int32_t by);

    // Head, tail and metadata become those of `copy`, which is a copy of this packet that others may have written to. False: they
    // lie outside the slot, nothing changed.
    bool take_frame(const Packet& copy);

    // An empty frame at the usual place, all annotations at their defaults.
    void reset();

    // Annotations (Click's): set by elements, read by elements.
    std::uint64_t arrival_ns = 0;             // monotonic, when the driver saw it
    std::uint16_t network_offset = no_offset;  // of the network header from the slot's frame start at the time it was set
    std::uint8_t input_nic = 0;               // index in the guest's list of NICs
    std::uint8_t paint = 0;
    std::uint16_t transport_offset = no_offset;  // of the transport header, as network_offset
    std::uint8_t type = 0;                    // PacketType
    std::uint8_t parameter = 0;               // of the header byte that IPGWOptions found wrong, from the IP header on
    std::uint32_t destination_ip = 0;         // network byte order; GetIPAddress, LookupIPRoute
    std::uint32_t aggregate = 0;              // AggregateIP and its kin
    std::uint32_t extra_packets = 0;          // that this one stands for, in summaries
    std::uint32_t extra_length = 0;           // bytes that the capture cut off

    // All annotations of another packet whose frame begins at the same place.
    void copy_annotations(const Packet& other);

    // The network header, when the annotation names one inside the frame; empty otherwise.
    std::span<std::uint8_t> network();
    void set_network(std::uint16_t offset_from_data) { network_offset = static_cast<std::uint16_t>(head_ + offset_from_data); }
    // The same of the transport header.
    std::span<std::uint8_t> transport();
    void set_transport(std::uint16_t offset_from_data) { transport_offset = static_cast<std::uint16_t>(head_ + offset_from_data); }

  private:
    friend class PacketPool;
    friend class PacketPtr;
    Packet(PacketPool* pool, std::uint8_t* slot) : slot_{slot}, pool_{pool} {}

    std::uint8_t* slot_;
    PacketPool* pool_ = nullptr;
    Packet* next_free_ = nullptr;
    std::uint16_t head_ = fresh_start;
    std::uint16_t tail_ = fresh_start;
    std::uint8_t metadata_ = 0;  // bytes before head_

  public:
    bool fix_source = false;  // ICMPError made it: FixIPSrc gives it the address of the interface that it leaves by
    std::uint16_t vlan = 0;   // tag control information: priority and VLAN
};
static_assert(sizeof(Packet) == 64);

class PacketPtr {
  public:
    PacketPtr() = default;
    PacketPtr(PacketPtr&& other) noexcept : packet_{std::exchange(other.packet_, nullptr)} {}
    PacketPtr& operator=(PacketPtr&& other) noexcept {
        if (this != &other) {
            reset();
            packet_ = std::exchange(other.packet_, nullptr);
        }
        return *this;
    }
    ~PacketPtr() { reset(); }

    void reset();  // gives the slot back to its pool
    Packet* get() const { return packet_; }
    Packet* operator->() const { return packet_; }
    Packet& operator*() const { return *packet_; }
    explicit operator bool() const { return packet_ != nullptr; }

    // For drivers: a packet that a device holds is owned by the ring, not by a PacketPtr.
    Packet* release() { return std::exchange(packet_, nullptr); }
    static PacketPtr adopt(Packet* packet) { return PacketPtr{packet}; }

  private:
    friend class PacketPool;
    explicit PacketPtr(Packet* packet) : packet_{packet} {}
    Packet* packet_ = nullptr;
};

// Up to 32 packets in order. Move-only; what is left in one that goes out of scope returns to its pool uncounted, so elements
// hand every batch on or drop it with a reason.
class Batch {
  public:
    static constexpr std::size_t most_packets = 32;
    // How many are in a full one: the `click` driver moves packets one by one, as its users expect of prints and branches.
    static inline std::uint8_t burst = most_packets;

    Batch() = default;
    Batch(Batch&& other) noexcept { take(other); }
    Batch& operator=(Batch&& other) noexcept {
        if (this != &other) {
            clear();
            take(other);
        }
        return *this;
    }
    ~Batch() { clear(); }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ >= burst; }
    std::size_t room() const { return full() ? 0 : std::size_t{burst} - size_; }

    bool push_back(PacketPtr&& packet);  // false: full, the packet stays with the caller
    PacketPtr pop_front();               // empty when the batch is
    Packet& operator[](std::size_t index) { return *packets_[(first_ + index) % most_packets]; }
    const Packet& operator[](std::size_t index) const { return *packets_[(first_ + index) % most_packets]; }
    std::size_t append(Batch& other);    // moves what fits, in order; returns how many
    void clear();

    // for (Packet& packet : batch)
    struct Iterator {
        Batch* batch;
        std::size_t index;
        Packet& operator*() const { return (*batch)[index]; }
        Iterator& operator++() {
            ++index;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return index != other.index; }
    };
    Iterator begin() { return {this, 0}; }
    Iterator end() { return {this, size_}; }

  private:
    void take(Batch& other);

    // Only [first_, first_ + size_) modulo the capacity holds packets; the rest is indeterminate, never read.
    std::array<Packet*, most_packets> packets_;
    std::uint8_t first_ = 0;
    std::uint8_t size_ = 0;
};

// All slots of the guest, in one region below 4 GiB, their Packets after them on other pages. A free list (last in, first out: the warmest slot first), then slots that
// were never used: so memory is touched only when it is needed.
class PacketPool {
  public:
    enum class Use : std::uint8_t {
        data,
        management
    };

    PacketPool() = default;
    explicit PacketPool(std::span<std::byte> region) { adopt(region); }
    PacketPool(const PacketPool&) = delete;
    PacketPool& operator=(const PacketPool&) = delete;

    // The pool of the running guest. The first call takes `slots` from the platform: main's, at boot; in tests, anybody's.
    static PacketPool& system(std::size_t slots = 512);

    // What a region for so many slots takes.
    static constexpr std::size_t region_bytes(std::size_t slots) { return slots_bytes(slots) + slots * sizeof(Packet); }

    void adopt(std::span<std::byte> region);  // 4096-aligned; once. Touches none of it
    // Reset, empty frame; null when no slot is left for this use.
    PacketPtr acquire(Use use = Use::data);
    // The same bytes at the same offset, metadata and annotations too; null when no slot is left.
    PacketPtr copy(const Packet& packet);
    // Once the graph is known: `management` slots are for Use::management alone; queues leave `passing` more to what does not wait.
    void reserve(std::size_t management, std::size_t passing) {
        management_ = management;
        passing_ = passing;
    }
    // May a packet stay where it waits for a device? Else one slow receiver holds every slot, and what goes elsewhere has none.
    bool may_wait() const { return available() > management_ + passing_; }
    // The pages of the slots and nothing else.
    std::span<std::byte> slots() const { return {slots_, slots_bytes(capacity_)}; }
    std::size_t capacity() const { return capacity_; }
    std::size_t available() const { return capacity_ - in_use_; }
    std::uint64_t exhausted() const { return exhausted_; }  // how often acquire had nothing to give

  private:
    friend class PacketPtr;
    static constexpr std::size_t slots_bytes(std::size_t slots) { return (slots * Packet::slot_bytes + 4095) & ~std::size_t{4095}; }
    void give_back(Packet* packet);

    Packet* make_fresh();

    Packet* free_ = nullptr;
    std::byte* slots_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t touched_ = 0;  // slots [0, touched_) have a Packet
    std::size_t in_use_ = 0;
    std::size_t management_ = 0, passing_ = 0;  // slots kept
    std::uint64_t exhausted_ = 0;
};

}  // namespace unibpf
