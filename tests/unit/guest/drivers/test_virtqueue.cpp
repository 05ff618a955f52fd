#include <doctest/doctest.h>

#include "guest/drivers/virtqueue.hpp"
#include "tests/unit/guest/drivers/other_side.hpp"

using other_side::DeviceQueue;
using unibpf::PacketPool;
using unibpf::PacketPtr;
using unibpf::Virtqueue;
using Taken = Virtqueue::Taken;

namespace {

constexpr std::uint16_t queue_length = 8;

struct Fixture {
    alignas(4096) std::byte ring[16384];
    alignas(4096) std::byte slots[PacketPool::region_bytes(16)];
    PacketPool pool{slots};
    Virtqueue queue;
    Fixture() { queue.attach(ring, queue_length); }

    unibpf::Packet* add(std::uint32_t length = 100, bool device_writes = true) {
        PacketPtr packet = pool.acquire();
        unibpf::Packet* raw = packet.get();
        return queue.add(packet, reinterpret_cast<std::uintptr_t>(raw->data()), length, device_writes) ? raw : nullptr;
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "the device sees nothing before publish and everything after") {
    DeviceQueue device{queue};
    const auto* packet = add();
    CHECK_FALSE(device.next());
    CHECK(queue.publish());
    const auto buffer = device.next();
    REQUIRE(buffer);
    CHECK(buffer->bytes.data() == packet->data());
    CHECK(buffer->bytes.size() == 100);
    CHECK(buffer->writable);
    CHECK_FALSE(device.next());
}

TEST_CASE_FIXTURE(Fixture, "a burst costs one kick, and none when the device polls") {
    add(), add(), add();
    CHECK(queue.publish());
    CHECK_FALSE(queue.publish());
    DeviceQueue device{queue};
    device.forbid_kicks();
    add();
    CHECK_FALSE(queue.publish());
}

TEST_CASE_FIXTURE(Fixture, "packets come back in the device's order through many wraps of the ring") {
    DeviceQueue device{queue};
    for (int round = 0; round < 40'000; ++round) {  // the 16-bit indices wrap as well
        const auto* first = add(100);
        const auto* second = add(100);
        queue.publish();
        const auto a = device.next(), b = device.next();
        REQUIRE((a && b));
        device.complete(b->id, 7);
        device.complete(a->id, 9);
        const auto done = queue.take();
        REQUIRE(done.what == Taken::packet);
        REQUIRE(done.packet.get() == second);
        REQUIRE(done.length == 7);
        REQUIRE(queue.take().packet.get() == first);
        REQUIRE(queue.take().what == Taken::nothing);
    }
    CHECK(pool.available() == pool.capacity());
}

TEST_CASE_FIXTURE(Fixture, "a full ring refuses a packet and leaves it with its owner") {
    for (int i = 0; i < queue_length; ++i) CHECK(add() != nullptr);
    PacketPtr packet = pool.acquire();
    CHECK_FALSE(queue.add(packet, 0x1000, 10, true));
    CHECK(packet);
}

TEST_CASE_FIXTURE(Fixture, "an id that the device does not hold is counted, not believed") {
    DeviceQueue device{queue};
    add();
    queue.publish();
    const auto buffer = device.next();
    device.complete(queue_length, 10);
    CHECK(queue.take().what == Taken::bad_id);
    device.complete(0xffff'ffff, 10);
    CHECK(queue.take().what == Taken::bad_id);
    device.complete((buffer->id + 1u) % queue_length, 10);
    CHECK(queue.take().what == Taken::bad_id);
    device.complete(buffer->id, 10);
    CHECK(queue.take().what == Taken::packet);
    device.complete(buffer->id, 10);  // the same again
    CHECK(queue.take().what == Taken::bad_id);
    CHECK(pool.available() == pool.capacity());
}

TEST_CASE_FIXTURE(Fixture, "a length above what was offered is refused with its packet returned") {
    DeviceQueue device{queue};
    add(100, true);
    queue.publish();
    device.complete(device.next()->id, 101);
    CHECK(queue.take().what == Taken::bad_length);
    add(100, false);  // the device may not write at all
    queue.publish();
    device.complete(device.next()->id, 1);
    CHECK(queue.take().what == Taken::bad_length);
    CHECK(pool.available() == pool.capacity());
}

TEST_CASE_FIXTURE(Fixture, "a device that runs its used index far ahead gets nothing it does not hold") {
    DeviceQueue device{queue};
    add();
    queue.publish();
    device.complete(device.next()->id, 5);
    for (int i = 0; i < 1000; ++i) device.complete(3, 5);
    int packets = 0;
    for (auto done = queue.take(); done.what != Taken::nothing; done = queue.take()) packets += done.what == Taken::packet;
    CHECK(packets == 0);  // its own lies overwrote the one good entry
    CHECK(pool.capacity() - pool.available() == 1);
}

TEST_CASE_FIXTURE(Fixture, "interrupts are off until they are wanted") {
    DeviceQueue device{queue};
    CHECK_FALSE(device.interrupts_wanted());
    queue.want_interrupts(true);
    CHECK(device.interrupts_wanted());
}
