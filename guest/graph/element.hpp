// Element: a node of the router graph, and ElementClass: the table row that describes its class.
//
// Life of an element (as in Click): created by its class row, `configure`d with its arguments, connected, `initialize`d once
// every element is connected, then run on the data path until the router ends; after a graph swap `take_state` moves what
// the old element of the same name and class held. Everything that can fail happens before the first packet: the data path
// returns no errors, does not allocate and owns each packet exactly once.
//
// Ports: push outputs and pull inputs have exactly one connection and know their peer; the router checks that once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "guest/core/heap.hpp"
#include "guest/core/result.hpp"
#include "guest/graph/args.hpp"
#include "guest/graph/drop_reason.hpp"
#include "guest/graph/text.hpp"
#include "guest/packet/packet.hpp"

namespace unibpf {

class Element;
class Nic;
class Timer;
class Router;
class SlotRegistry;     // guest/bpf/slot.hpp; the graph only hands it on
struct ControlContext;  // guest/control; the graph only hands it on

// What elements ask of the program that runs them, where that is the `click` driver; guests have none.
class RunControl {
  public:
    virtual void stop(const Element& who) = 0;  // the STOP of sources, the `stop` handlers

  protected:
    ~RunControl() = default;
};

// What the world gives to a router. It outlives the router. `nics` holds every NIC but the management NIC.
struct Environment {
    std::span<Nic* const> nics;
    PacketPool* pool = nullptr;
    SlotRegistry* slots = nullptr;
    ControlContext* control = nullptr;
    void (*print)(std::string_view text) = nullptr;  // console; may be null
    RunControl* run = nullptr;
    std::span<const Binding> defines{};  // variables from outside the text
};

// A handler: the only way in from outside. `read` writes the value as text; `write` takes one. Either may be null.
struct Handler {
    std::string_view name;
    void (*read)(const Element& element, Text& out) = nullptr;
    Status (*write)(Element& element, std::string_view value) = nullptr;
    // A read that takes an argument.
    Status (*query)(Element& element, std::string_view argument, Text& out) = nullptr;
};

// For class rows: `reason_list<DropReason::too_short>`.
template <DropReason... reasons>
inline constexpr DropReason reason_list[] = {reasons...};

struct ElementClass {
    std::string_view name;
    std::string_view ports;       // Click's port counts, "inputs/outputs": "1/1", "1/1-2", "0/1", "1/-"
    std::string_view processing;  // Click's processing code, "inputs/outputs": h push, l pull, a agnostic; the last
                                  // letter of a side holds for its further ports
    std::string_view arguments;   // as the manual writes them
    std::string_view summary;     // one line
    std::span<const Handler> handlers;
    std::span<const DropReason> drops;  // every reason for which it drops a packet
    Owned<Element> (*create)();
    bool sparse_outputs = false;  // outputs may be left out, as `[0]` and `[2]` alone
    bool informs = false;         // declares names for other elements' arguments: configured before them
    bool defers = false;          // what is pushed into it goes out in another round

    // Null when the class has no handler of that name.
    const Handler* handler(std::string_view handler_name) const {
        for (const Handler& handler : handlers)
            if (handler.name == handler_name) return &handler;
        return nullptr;
    }
};

// One end of a connection, at the side that acts: a push output or a pull input.
class Port {
  public:
    bool connected() const { return peer_ != nullptr; }
    Element* peer() const { return peer_; }
    unsigned peer_port() const { return peer_port_; }
    void connect(Element& peer, unsigned port) {
        peer_ = &peer;
        peer_port_ = port;
    }

    inline void push(Batch&& batch) const;
    inline void pull(Batch& batch) const;  // fills `batch`, which is empty

  private:
    Element* peer_ = nullptr;
    unsigned peer_port_ = 0;
};

class Element {
  public:
    virtual ~Element() = default;
    Element() = default;
    Element(const Element&) = delete;
    Element& operator=(const Element&) = delete;

    std::string_view name() const { return name_; }
    std::string_view class_name() const { return class_->name; }
    const ElementClass& element_class() const { return *class_; }
    Place place() const { return place_; }
    std::string_view configuration() const { return configuration_; }  // as written, variables replaced
    Router& router() const { return *router_; }
    unsigned inputs() const { return static_cast<unsigned>(inputs_.size()); }
    unsigned outputs() const { return static_cast<unsigned>(outputs_.size()); }

    std::uint64_t packets() const { return packets_; }  // that entered this element (a source: that it brought in)
    const DropCounters& drops() const { return drops_; }

    // Reads the arguments; faults go to args.error(). The ports are known, their peers are not yet.
    virtual void configure(Args&) {}
    // Every element is configured and connected. Faults go to `errors`.
    virtual void initialize(Environment&, Errors&) {}

    // Takes every packet of the batch: sends it on, keeps it, or drops it by name. The batch is empty afterwards.
    virtual void push(unsigned port, Batch&& batch);
    // Fills `batch`, which is empty, as far as there are packets.
    virtual void pull(unsigned port, Batch& batch);
    // For elements that treat a push and a pull alike: changes the batch in place, takes out what goes no further.
    virtual void process(Batch&) {}

    // Elements that act of their own accord (devices, Unqueue) have a task; the router calls it once in each round.
    virtual bool has_task() const { return false; }
    // Returns whether anything was done, so that the main loop knows when to sleep.
    virtual bool run_task() { return false; }

    // A timer of this element's has come to its time.
    virtual void run_timer(Timer&) {}

    // Of queues: how many packets may wait there; the guest's packet slots are divided by it.
    virtual std::size_t queue_capacity() const { return 0; }

    // What the element holds besides its counters, which the router takes over for all. `old` has the same name and class and is
    // thrown away afterwards.
    virtual void take_state(Element& old) { (void)old; }

    const Port& output(unsigned port) const { return outputs_[port]; }
    const Port& input(unsigned port) const { return inputs_[port]; }

  protected:
    // Sends the batch out of `port` if that port exists, else drops it.
    void push_or_drop(unsigned port, Batch&& batch, DropReason reason);
    // Sends packet i out of port ports[i], one batch for each port, in order; drops those of a port that does not exist.
    void distribute(Batch&& batch, std::span<const std::uint16_t> ports, DropReason reason);
    // For `process`: packets for which `stays` is false leave by output 1, or are dropped where there is none.
    template <typename Predicate>
    void split(Batch& batch, Predicate&& stays, DropReason reason) {
        Batch other;
        for (std::size_t n = batch.size(); n > 0; --n) {
            PacketPtr packet = batch.pop_front();
            (stays(*packet) ? batch : other).push_back(std::move(packet));
        }
        if (!other.empty()) push_or_drop(1, std::move(other), reason);
    }
    // For `process`: drops the packets for which `stays` is false.
    template <typename Predicate>
    void keep(Batch& batch, Predicate&& stays, DropReason reason) {
        for (std::size_t n = batch.size(); n > 0; --n) {
            PacketPtr packet = batch.pop_front();
            if (stays(*packet)) batch.push_back(std::move(packet));
            else drop(std::move(packet), reason);
        }
    }
    void drop(Batch&& batch, DropReason reason);
    void drop(PacketPtr packet, DropReason reason);
    void count_drop(DropReason reason) { ++drops_[static_cast<std::size_t>(reason)]; }  // of a packet that never was
    void count_packets(std::size_t n) { packets_ += n; }
    void reset_counters();

  private:
    friend class Port;
    friend class Router;
    friend class RouterBuilder;

    std::string_view name_;
    std::string_view configuration_;
    const ElementClass* class_ = nullptr;
    Router* router_ = nullptr;
    Place place_;
    std::span<Port> inputs_;
    std::span<Port> outputs_;
    std::uint64_t packets_ = 0;
    DropCounters drops_{};
};

inline void Port::push(Batch&& batch) const {
    peer_->packets_ += batch.size();
    peer_->push(peer_port_, std::move(batch));
}

// Whoever is pulled counts for itself: only it knows which packets it took in.
inline void Port::pull(Batch& batch) const { peer_->pull(peer_port_, batch); }

// `create` of a class row: heap-owned, ready to be configured.
template <typename E>
Owned<Element> create_element() {
    return make<E>();
}

}  // namespace unibpf
