#pragma once

#include "guest/elements/queue/queue.hpp"

namespace unibpf {

// SimpleQueue - stores packets in a first-in, first-out queue, as Queue
//
//   SimpleQueue([CAPACITY])
//
// The same element by its other name.
// Ports: one push input, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> SimpleQueue(64) -> ToDevice(eth1);
class SimpleQueue : public Queue {
  public:
    static const ElementClass class_row;
};

// ThreadSafeQueue - stores packets in a first-in, first-out queue, as Queue
//
//   ThreadSafeQueue([CAPACITY])
//
// The same element by its other name: a guest has one thread on its data path.
// Ports: one push input, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> ThreadSafeQueue(64) -> ToDevice(eth1);
class ThreadSafeQueue : public Queue {
  public:
    static const ElementClass class_row;
};

// NotifierQueue - stores packets in a first-in, first-out queue, as Queue
//
//   NotifierQueue([CAPACITY])
//
// The same element by its other name.
// Ports: one push input, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> NotifierQueue(64) -> ToDevice(eth1);
class NotifierQueue : public Queue {
  public:
    static const ElementClass class_row;
};

// FrontDropQueue - stores packets and drops the oldest when full
//
//   FrontDropQueue([CAPACITY])
//
// As Queue, but what comes when the queue is full takes the place of the oldest packet.
// Ports: one push input, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> FrontDropQueue(64) -> ToDevice(eth1);
class FrontDropQueue : public Queue {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
};

// MixedQueue - stores packets first in, first out, or last in, first out
//
//   MixedQueue([CAPACITY])
//
// Input 0 puts packets at the end and drops them when the queue is full; input 1 puts them before all others, and when it is full the last one makes room.
// Ports: 2 to 2 push inputs, one pull output.
// Drops: queue-full.
// Handlers: length, highwater_length, capacity, drops (read), reset_counts (write).
// Example: FromDevice(eth0) -> q :: MixedQueue(64) -> ToDevice(eth1); FromDevice(eth1) -> [1]q;
class MixedQueue : public Queue {
  public:
    static const ElementClass class_row;

    void push(unsigned port, Batch&& batch) override;
};

}  // namespace unibpf
