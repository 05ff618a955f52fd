// Helpers called as the engines call them, on programs with every kind of map; and which arguments the checking interpreter lets in.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "guest/bpf/helpers/bounds.hpp"
#include "guest/bpf/helpers/helpers.hpp"
#include "guest/bpf/maps/map_array.hpp"
#include "guest/bpf/maps/map_ring.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

using namespace unibpf;
using test::BundleSpec;

namespace {

using Word = std::uint64_t;
using abi::Helper;

constexpr Word failure(int error) { return static_cast<Word>(-static_cast<std::int64_t>(error)); }
Word word(const void* pointer) { return reinterpret_cast<Word>(pointer); }

// The program is never run: it lends its maps and its kind.
BundleSpec with_maps() {
    const std::vector<std::uint8_t> text = {'a', 'b', 'c', 0, 'd', 'e'};
    BundleSpec spec;
    spec.maps = {
        {.name = "array", .type = 2, .value = 16, .entries = 3, .lock = 8},
        {.name = "hash", .type = 1, .entries = 8},
        {.name = ".rodata", .type = 2, .value = 6, .entries = 1, .flags = abi::map_flag_rdonly_prog, .data = text},
        {.name = "calls", .type = 3, .value = 4, .entries = 4, .initial = {{{1, 0}}}},
        {.name = "ring", .type = 27, .key = 0, .value = 0, .entries = 4096},
        {.name = "events", .type = 4, .value = 4, .entries = 2},
        {.name = "ports", .type = 14, .value = 4, .entries = 4},
        {.name = "outer", .type = 12, .value = 4, .entries = 2, .initial = {{{1, 8}}}, .inner = {{2, 4, 8, 2, 0}}},
        {.name = "inner", .type = 2, .value = 8, .entries = 2},
        {.name = "constants", .type = 1, .entries = 2, .flags = abi::map_flag_rdonly_prog},
    };
    return spec;
}

struct Bench {
    BundleView view;
    ProgramShape shape;
    Owned<Program> program;
    PacketPtr packet = PacketPool::system().acquire();
    Owned<Machine> machine;

    explicit Bench(const BundleSpec& spec = with_maps(), std::uint16_t length = 64) {
        const auto bytes = test::encode(spec);
        REQUIRE(decode_bundle(bytes, view).ok());
        REQUIRE(validate_program(view, shape).ok());
        Loader loader{view};
        MapReport report;
        REQUIRE(loader.build_maps({}, nullptr, report).ok());
        program = loader.link(shape).value();
        REQUIRE(packet->put(length));
        machine = make<Machine>(*program, *packet, abi::default_budget);
        std::memset(machine->stack, 0, sizeof machine->stack);
    }
    Map& map(std::string_view name) { return *program->find_map(name); }
    Word handle(std::string_view name) { return word(&map(name)); }
    RingMap& ring(std::string_view name) { return static_cast<RingMap&>(map(name)); }

    Word call(Helper helper, Word r1 = 0, Word r2 = 0, Word r3 = 0, Word r4 = 0, Word r5 = 0) {
        return helper_functions[abi::helper_index(static_cast<std::uint32_t>(helper))](r1, r2, r3, r4, r5, *machine);
    }
    // Empty when the checking interpreter lets the call pass.
    std::string wrong(Helper helper, Word r1 = 0, Word r2 = 0, Word r3 = 0, Word r4 = 0, Word r5 = 0) {
        const auto index = static_cast<std::int32_t>(abi::helper_index(static_cast<std::uint32_t>(helper)));
        const char* text = bounds::wrong_argument(*machine, machine->stack_top(), index, {r1, r2, r3, r4, r5});
        return text == nullptr ? "" : text;
    }
    Word stack(std::uint32_t below) { return machine->stack_top() - below; }
    Word context() { return word(&machine->context); }
};

std::vector<Word> seen;  // what the callback below was called with

Word record_call(Machine& machine, Word function, Word r1, Word r2, Word r3, Word r4) {
    seen.insert(seen.end(), {function, r1, r2, r3, r4});
    machine.stopped = seen.size() >= 5 * 100;
    return seen.size() >= 5 * 3 && function == 1 ? 1 : 0;  // function 1 ends after three calls
}

}  // namespace

TEST_CASE("a loop calls back with the number and the context until it is told to end") {
    Bench bench;
    bench.machine->call_back = record_call;
    seen.clear();
    CHECK(bench.call(Helper::loop, 5, function_value(0), 77) == 5);
    CHECK(seen.size() == 25);
    CHECK(std::vector<Word>{seen.end() - 5, seen.end() - 2} == std::vector<Word>{0, 4, 77});
    seen.clear();
    CHECK(bench.call(Helper::loop, 5, function_value(1), 77) == 3);
    CHECK(bench.call(Helper::loop, 5, 0, 0, 1) == failure(abi::einval));
    CHECK(bench.call(Helper::loop, abi::max_loops + 1) == failure(abi::e2big));
    CHECK(bench.call(Helper::loop, 0) == 0);
}

TEST_CASE("a loop whose callback was stopped ends at once") {
    Bench bench;
    bench.machine->call_back = record_call;
    seen.clear();
    CHECK(bench.call(Helper::loop, abi::max_loops, 0) == 100);
}

TEST_CASE("each element of an array is visited with a key that the callback may read") {
    Bench bench;
    bench.machine->call_back = [](Machine& machine, Word, Word map, Word key, Word value, Word context) -> Word {
        CHECK(bounds::allowed(machine, machine.stack_top(), key, 4, bounds::Access::read));
        CHECK_FALSE(bounds::allowed(machine, machine.stack_top(), key, 4, bounds::Access::write));
        CHECK(reinterpret_cast<Map*>(map)->contains(value, 16));
        CHECK(context == 5);
        seen.push_back(*reinterpret_cast<const std::uint32_t*>(key));
        return 0;
    };
    seen.clear();
    CHECK(bench.call(Helper::for_each_map_elem, bench.handle("array"), 0, 5) == 3);
    CHECK(seen == std::vector<Word>{0, 1, 2});
    CHECK(bench.call(Helper::for_each_map_elem, bench.handle("array"), 0, 5, 1) == failure(abi::einval));
    CHECK(bench.call(Helper::for_each_map_elem, bench.handle("hash"), 0, 5) == 0);
}

TEST_CASE("a tail call finds its function, 33 times in a run") {
    Bench bench;
    const Word calls = bench.handle("calls");
    CHECK(bench.call(Helper::tail_call, bench.context(), calls, 0) == failure(abi::enoent));
    CHECK(bench.call(Helper::tail_call, bench.context(), calls, 4) == failure(abi::enoent));
    CHECK(bench.machine->tail_target == no_function);
    for (unsigned i = 0; i < abi::max_tail_calls; ++i) {
        bench.machine->tail_target = no_function;
        CHECK(bench.call(Helper::tail_call, bench.context(), calls, 1) == 0);
        CHECK(bench.machine->tail_target == 0);
    }
    bench.machine->tail_target = no_function;
    CHECK(bench.call(Helper::tail_call, bench.context(), calls, 1) == failure(abi::e2big));
    CHECK(bench.machine->tail_target == no_function);
}

TEST_CASE("the last redirection counts, and a failed one forgets those before it") {
    Bench bench;
    const std::uint32_t key = 2, port = 7;
    REQUIRE(bench.map("ports").update(reinterpret_cast<const std::uint8_t*>(&key), reinterpret_cast<const std::uint8_t*>(&port), 0) == 0);
    CHECK(bench.call(Helper::redirect, 3) == abi::xdp_redirect);
    CHECK(bench.machine->redirect_port == 3);
    CHECK(bench.call(Helper::redirect_map, bench.handle("ports"), 2) == abi::xdp_redirect);
    CHECK(bench.machine->redirect_port == 7);
    CHECK(bench.call(Helper::redirect_map, bench.handle("ports"), 1, abi::xdp_pass) == abi::xdp_pass);
    CHECK(bench.machine->redirect_port == no_port);
    CHECK(bench.call(Helper::redirect, 3, 1) == abi::xdp_aborted);
    CHECK(bench.call(Helper::redirect_map, bench.handle("ports"), 2, 8) == abi::xdp_aborted);  // BPF_F_BROADCAST
}

TEST_CASE("perf events go to the one CPU's ring, with as much of the packet as was asked for") {
    Bench bench;
    const char text[] = "data";
    const Word events = bench.handle("events");
    std::memcpy(bench.packet->data(), "packet", 6);
    const auto output = [&](Word flags) { return bench.call(Helper::perf_event_output, bench.context(), events, flags, word(text), 4); };
    CHECK(output(0xffff'ffff | Word{6} << 32) == 0);
    CHECK(output(0) == 0);
    CHECK(output(1) == failure(abi::enoent));
    CHECK(output(2) == failure(abi::e2big));
    CHECK(output(Word{65} << 32) == failure(abi::efault));
    CHECK(output(Word{1} << 52) == failure(abi::einval));
    RingMap& ring = bench.ring("events");
    const RingMap::Step first = ring.read(0);
    CHECK(std::string{first.record.begin(), first.record.end()} == "datapacket");
    CHECK(std::string{ring.read(first.next).record.begin(), ring.read(first.next).record.end()} == "data");
    while (output(0) == 0) {}
    CHECK(output(0) == failure(abi::enospc));
    CHECK(ring.lost() == 2);
}

TEST_CASE("an inner map is found through its map of maps and keeps the program's state") {
    Bench bench;
    const std::uint32_t index = 1;
    CHECK(bench.call(Helper::map_lookup_elem, bench.handle("outer"), word(&index)) == bench.handle("inner"));
    CHECK(bench.call(Helper::map_lookup_percpu_elem, bench.handle("inner"), word(&index), 0) == word(bench.map("inner").global_data()) + 8);
    CHECK(bench.call(Helper::map_lookup_percpu_elem, bench.handle("inner"), word(&index), 1) == 0);
}

TEST_CASE("a string that a format names is read only where the program may read") {
    Bench bench;
    const char format[] = "%s|%s|%pI4|%pi4|%pI6";
    std::memcpy(bench.machine->stack, "on the stack", 13);
    std::memcpy(bench.packet->data(), "\x0a\x00\x00\xff", 4);
    const char outside[] = "secret";
    const Word values[] = {word(bench.machine->stack), word(outside), word(bench.packet->data()), word(bench.packet->data()), word(outside)};
    char out[128];
    const std::string expected = "on the stack||10.0.0.255|010.000.000.255|0000:0000:0000:0000:0000:0000:0000:0000";
    CHECK(bench.call(Helper::snprintf, word(out), sizeof out, word(format), word(values), sizeof values) == expected.size() + 1);
    CHECK(std::string{out} == expected);
}

TEST_CASE("formats that are none are refused and leave an empty text") {
    Bench bench;
    const Word values[] = {1, 2};
    for (const char* format : {"%", "%q", "%lc", "%.3d", "%ll", "%pX", "%d%d%d", "\x01", "%l", "%08"}) {
        CAPTURE(format);
        char out[8] = "xxxxxxx";
        CHECK(bench.call(Helper::snprintf, word(out), sizeof out, word(format), word(values), sizeof values) == failure(abi::einval));
        CHECK(out[0] == '\0');
    }
    char out[8];
    CHECK(bench.call(Helper::snprintf, word(out), sizeof out, word("a"), word(values), 12) == failure(abi::einval));
    CHECK(bench.call(Helper::snprintf, word(out), sizeof out, word("a"), 0, 8) == failure(abi::einval));
    CHECK(bench.call(Helper::snprintf, 0, 0, word("twelve chars"), 0, 0) == 13);
}

TEST_CASE("metadata moves with the head, and is gone when an element moves it") {
    Bench bench;
    CHECK(bench.call(Helper::xdp_adjust_meta, bench.context(), failure(8)) == 0);
    std::memcpy(bench.packet->data() - 8, "metadata", 8);
    CHECK(bench.machine->context.data_meta == bench.machine->context.data - 8);
    CHECK(bench.call(Helper::xdp_adjust_head, bench.context(), failure(20)) == 0);
    CHECK(std::memcmp(bench.packet->data() - 8, "metadata", 8) == 0);
    CHECK(bench.call(Helper::xdp_adjust_head, bench.context(), failure(300)) == failure(abi::einval));
    CHECK(bench.call(Helper::xdp_adjust_meta, bench.context(), failure(2)) == failure(abi::eacces));
    CHECK(bench.call(Helper::xdp_adjust_meta, bench.context(), 12) == failure(abi::einval));
    const Machine next{*bench.program, *bench.packet, 1000};
    CHECK(next.context.data_meta == next.context.data - 8);
    CHECK(bench.packet->pull(4));
    CHECK(bench.packet->metadata() == 0);
}

TEST_CASE("every kind of argument is checked") {
    Bench bench;
    const Word free_text = word("not the program's");
    std::uint8_t* record = bench.ring("ring").reserve(8);
    const Word rodata = word(bench.map(".rodata").global_data());
    const Word value = word(bench.map("array").global_data());

    CHECK(bench.wrong(Helper::ringbuf_submit, word(record)) == "");
    CHECK(bench.wrong(Helper::ringbuf_submit, word(record) + 1) == "helper argument is not a reserved record");
    RingMap::submit(record, false);
    CHECK(bench.wrong(Helper::ringbuf_discard, word(record)) == "helper argument is not a reserved record");
    CHECK(bench.wrong(Helper::ringbuf_reserve, bench.handle("ring"), 0) == "helper argument is a size of zero");
    CHECK(bench.wrong(Helper::ringbuf_reserve, bench.handle("hash"), 8) == "helper does not work on this type of map");
    CHECK(bench.wrong(Helper::map_update_elem, bench.handle("constants"), bench.stack(8), bench.stack(8)) == "helper writes a read-only map");
    CHECK(bench.wrong(Helper::strncmp, bench.stack(8), 8, rodata + 1) == "");
    CHECK(bench.wrong(Helper::strncmp, bench.stack(8), 8, rodata + 4) == "helper argument is not a constant string");  // not terminated
    CHECK(bench.wrong(Helper::strncmp, bench.stack(8), 8, bench.stack(8)) == "helper argument is not a constant string");
    CHECK(bench.wrong(Helper::strtol, bench.stack(8), 8, 0, bench.stack(8)) == "");
    CHECK(bench.wrong(Helper::strtol, bench.stack(8), 8, 0, bench.stack(4)) == "helper argument is not room for a long");
    CHECK(bench.wrong(Helper::strtol, bench.stack(8), 8, 0, rodata) == "helper argument is not room for a long");
    CHECK(bench.wrong(Helper::strtol, bench.stack(8), 0, 0, bench.stack(8)) == "helper argument is a size of zero");
    CHECK(bench.wrong(Helper::xdp_load_bytes, bench.context(), 0, bench.stack(16), 16) == "");
    CHECK(bench.wrong(Helper::xdp_load_bytes, bench.context(), 0, bench.stack(16), 17) == "helper argument is not writable memory");
    CHECK(bench.wrong(Helper::xdp_load_bytes, bench.context(), 0, free_text, 4) == "helper argument is not writable memory");
    CHECK(bench.wrong(Helper::xdp_load_bytes, bench.context() + 4, 0, bench.stack(16), 4) == "helper argument is not the context");
    CHECK(bench.wrong(Helper::snprintf, 0, 0, rodata, 0, 0) == "");
    CHECK(bench.wrong(Helper::snprintf, free_text, 4, rodata, 0, 0) == "helper argument is not writable memory");
    CHECK(bench.wrong(Helper::loop, 1, function_value(0)) == "");
    CHECK(bench.wrong(Helper::loop, 1, 2) == "helper argument is not a function");
    CHECK(bench.wrong(Helper::spin_lock, value + 8) == "");
    CHECK(bench.wrong(Helper::spin_lock, value + 12) == "helper argument is not the lock of a map value");
    CHECK(bench.wrong(Helper::redirect_map, bench.handle("array"), 0) == "helper does not work on this type of map");
    CHECK(bench.wrong(Helper::map_lookup_elem, bench.handle("outer"), bench.stack(4)) == "");
    CHECK(bench.wrong(Helper::tail_call, bench.context(), bench.handle("calls"), 1) == "");
}

TEST_CASE("devices and keys are not the program's to write, records are until they are submitted") {
    Bench bench;
    const std::uint32_t key = 1, port = 3;
    Map& ports = bench.map("ports");
    REQUIRE(ports.update(reinterpret_cast<const std::uint8_t*>(&key), reinterpret_cast<const std::uint8_t*>(&port), 0) == 0);
    const Word device = word(ports.lookup(reinterpret_cast<const std::uint8_t*>(&key)));
    const auto may = [&](Word address, Word size, bounds::Access access) { return bounds::allowed(*bench.machine, bench.machine->stack_top(), address, size, access); };
    CHECK(may(device, 4, bounds::Access::read));
    CHECK_FALSE(may(device, 4, bounds::Access::write));
    std::uint8_t* record = bench.ring("ring").reserve(8);
    CHECK(may(word(record), 8, bounds::Access::write));
    CHECK_FALSE(may(word(record), 9, bounds::Access::write));
    RingMap::submit(record, true);
    CHECK_FALSE(may(word(record), 8, bounds::Access::read));
}
