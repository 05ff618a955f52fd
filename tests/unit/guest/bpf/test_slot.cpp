// A slot's life: fails closed, stages beside what runs, swaps, keeps maps, rolls back, and guards its budget.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "guest/bpf/slot.hpp"
#include "tests/unit/guest/bpf/bundle/bundle_builder.hpp"

using namespace unibpf;
using test::BundleSpec;
using test::MapSpec;

namespace {

constexpr Instruction mov0(std::int32_t value) { return {0xb7, 0, 0, 0, value}; }
constexpr Instruction leave = {0x95, 0, 0, 0, 0};
constexpr Instruction forever = {0x05, 0, 0, -1, 0};

ProgramSlot::Options options_of(EngineOption engine = EngineOption::automatic) {
    ProgramSlot::Options options;
    options.engine = engine;
    options.element = "fw";
    options.program = "firewall";
    options.kind = abi::Kind::rewriter;
    options.budget = 1000;
    return options;
}

// While one lives, the process gets no new pages: no native code.
class NoNewPages {
  public:
    explicit NoNewPages(rlim_t whole = 0) {
        getrlimit(RLIMIT_AS, &before_);
        const rlimit none{whole, before_.rlim_max};
        setrlimit(RLIMIT_AS, &none);
    }
    ~NoNewPages() { setrlimit(RLIMIT_AS, &before_); }
    NoNewPages(const NoNewPages&) = delete;
    NoNewPages& operator=(const NoNewPages&) = delete;

  private:
    rlimit before_{};
};

rlim_t pages_of_this_process() {
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    return pages * 4096;
}

struct Bench {
    explicit Bench(EngineOption engine = EngineOption::automatic) : slot{options_of(engine)} {}

    ProgramSlot slot;
    StageReport report;

    std::string stage(const BundleSpec& spec, std::uint64_t sequence, const MapPlan& plan = {}) {
        const auto bundle = test::encode(spec);
        ReleaseMeta meta{.sequence = sequence};
        meta.digest[0] = static_cast<std::uint8_t>(sequence);
        const Status status = slot.stage(bundle, plan, meta, report);
        return status.ok() ? "" : status.error().rule;
    }
    void install(const BundleSpec& spec, std::uint64_t sequence) {
        REQUIRE(stage(spec, sequence) == "");
        REQUIRE(slot.activate().ok());
    }
    RunResult run() {
        PacketPtr packet = PacketPool::system().acquire();
        REQUIRE(packet->put(64));
        return slot.run(*packet);
    }
};

BundleSpec returning(std::int32_t code) {
    BundleSpec spec;
    spec.code = {mov0(code), leave};
    return spec;
}

// ++counts[0]; return the new value. Array `counts`, or whatever `map` says.
BundleSpec counting(MapSpec map = {.name = "counts", .type = 2, .entries = 1}) {
    BundleSpec spec;
    spec.maps = {map};
    spec.code = {{0x18, 1, 6, 0, 0}, {}, {0xb7, 0, 0, 0, 1}, {0xdb, 1, 0, 0, 1}, {0x07, 0, 0, 0, 1}, leave};
    return spec;
}

BundleSpec endless() {
    BundleSpec spec;
    spec.code = {forever, leave};
    return spec;
}

}  // namespace

TEST_CASE("a slot without a program fails closed and counts it") {
    Bench bench;
    CHECK(bench.run().outcome == RunOutcome::no_program);
    CHECK(bench.slot.counters().no_program == 1);
    REQUIRE(bench.stage(returning(2), 5) == "");
    CHECK(bench.run().outcome == RunOutcome::no_program);  // staged is not running
}

TEST_CASE("activation swaps to what was staged and raises the floor") {
    Bench bench;
    bench.install(returning(2), 5);
    CHECK(bench.run().code == 2);
    REQUIRE(bench.stage(returning(1), 9) == "");
    CHECK(bench.run().code == 2);
    CHECK(bench.slot.floor() == 5);
    CHECK(bench.slot.staged()->sequence == 9);
    REQUIRE(bench.slot.activate().ok());
    CHECK(bench.run().code == 1);
    CHECK(bench.slot.floor() == 9);
    CHECK(bench.slot.staged() == nullptr);
    CHECK(bench.slot.previous()->sequence == 5);
    CHECK(std::string_view{bench.slot.activate().error().rule} == "nothing-staged");
}

TEST_CASE("rollback brings the previous program back; the floor stays") {
    Bench bench;
    CHECK(std::string_view{bench.slot.rollback().error().rule} == "nothing-previous");
    bench.install(returning(2), 5);
    bench.install(returning(1), 9);
    REQUIRE(bench.slot.rollback().ok());
    CHECK(bench.run().code == 2);
    CHECK(bench.slot.active()->sequence == 5);
    CHECK(bench.slot.previous()->sequence == 9);
    CHECK(bench.slot.floor() == 9);
}

TEST_CASE("a bundle that cannot be staged changes nothing") {
    Bench bench;
    bench.install(returning(2), 5);
    REQUIRE(bench.stage(returning(1), 6) == "");
    const std::size_t used = Heap::system().used();
    const std::pair<const char*, void (*)(BundleSpec&)> defects[] = {
        {"kind", [](BundleSpec& s) { s.kind = 0; }},
        {"program", [](BundleSpec& s) { s.name = "nat"; }},
        {"limits", [](BundleSpec& s) { s.outputs = 2; }},
        {"instruction", [](BundleSpec& s) { s.code = {leave, mov0(1)}; }},
        {"helper", [](BundleSpec& s) { s.helpers = {5}; }},
        {"abi", [](BundleSpec& s) { s.abi = 2; }},
        {"memory", [](BundleSpec& s) { s.maps = {{.value = 1024, .entries = 60'000}}; }},
    };
    for (const auto& [rule, make] : defects) {
        BundleSpec spec = returning(3);
        make(spec);
        CHECK(bench.stage(spec, 7) == rule);
        CHECK(bench.run().code == 2);
        CHECK(bench.slot.staged()->sequence == 6);
        CHECK(Heap::system().used() == used);
    }
}

TEST_CASE("the engine is what the element asked for") {
    for (const auto& [option, engine] : {std::pair{EngineOption::automatic, "jit"}, {EngineOption::jit, "jit"}, {EngineOption::interpreter, "interpreter"}}) {
        Bench bench{option};
        bench.install(returning(2), 1);
        CHECK(bench.slot.engine() == engine);
        CHECK(bench.run().code == 2);
    }
}

TEST_CASE("without room for native code `auto` interprets and `jit` refuses") {
    for (const auto option : {EngineOption::automatic, EngineOption::jit}) {
        Bench bench{option};
        bench.install(returning(2), 1);
        const auto bundle = test::encode(returning(1));
        Status status = done();
        {
            const NoNewPages whole;
            status = bench.slot.stage(bundle, {}, {.sequence = 2}, bench.report);
        }
        if (option == EngineOption::automatic) {
            REQUIRE(status.ok());
            REQUIRE(bench.slot.activate().ok());
            CHECK(bench.slot.engine() == "interpreter");
            CHECK(bench.run().code == 1);
        } else {
            CHECK(std::string_view{status.error().rule} == "memory");
            CHECK(bench.slot.staged() == nullptr);
            CHECK(bench.run().code == 2);
        }
    }
}

TEST_CASE("where only two native programs fit, the program before becomes bytecode, and the new one is native") {
    for (const EngineOption option : {EngineOption::automatic, EngineOption::jit}) {
        Bench bench{option};
        bench.install(returning(1), 1);
        bench.install(returning(2), 2);
        const auto bundle = test::encode(returning(3));
        Status status = done();
        {
            const NoNewPages more{pages_of_this_process()};
            status = bench.slot.stage(bundle, {}, {.sequence = 3}, bench.report);
        }
        REQUIRE(status.ok());
        CHECK(bench.slot.engine() == "jit");
        CHECK(bench.run().code == 2);
        REQUIRE(bench.slot.rollback().ok());
        CHECK(bench.slot.engine() == "interpreter");
        CHECK(bench.run().code == 1);
        REQUIRE(bench.slot.activate().ok());
        CHECK(bench.slot.engine() == "jit");
        CHECK(bench.run().code == 3);
    }
}

TEST_CASE("kept maps are shared by old and new program, in both directions") {
    Bench bench;
    bench.install(counting(), 1);
    CHECK(bench.report.maps[0].decision == MapDecision::fresh);
    for (std::uint32_t i = 1; i <= 3; ++i) CHECK(bench.run().code == i);
    REQUIRE(bench.stage(counting(), 2) == "");
    CHECK(bench.report.maps[0].decision == MapDecision::kept);
    CHECK(bench.report.maps[0].entries == 1);
    CHECK(bench.report.maps[0].name == "counts");
    CHECK(bench.run().code == 4);  // between staging and activation the old program goes on counting
    REQUIRE(bench.slot.activate().ok());
    CHECK(bench.run().code == 5);
    REQUIRE(bench.slot.rollback().ok());
    CHECK(bench.run().code == 6);
}

TEST_CASE("maps inside a map of maps keep their state; the outer map is the new program's") {
    // ++*lookup(lookup(outer, 1), 0); return the new value. `target` is the number of the inner map in `maps`.
    const auto nested = [](std::uint64_t target) {
        BundleSpec spec;
        spec.maps = {{.name = "outer", .type = 12, .value = 4, .entries = 2, .initial = {{{1, target}}}, .inner = {{2, 4, 8, 1, 0}}},
                     {.name = "first", .type = 2, .entries = 1},
                     {.name = "second", .type = 2, .entries = 1}};
        spec.helpers = {1};
        spec.code = {{0x62, 10, 0, -4, 1}, {0x18, 1, 5, 0, 0}, {}, {0xbf, 2, 10, 0, 0}, {0x07, 2, 0, 0, -4}, {0x85, 0, 0, 0, 1}, {0x55, 0, 0, 1, 0}, leave, {0xbf, 1, 0, 0, 0}, {0x62, 10, 0, -4, 0}, {0xbf, 2, 10, 0, 0}, {0x07, 2, 0, 0, -4}, {0x85, 0, 0, 0, 1}, {0x55, 0, 0, 1, 0}, leave, {0xb7, 1, 0, 0, 1}, {0xdb, 0, 1, 0, 1}, {0xbf, 0, 1, 0, 0}, {0x07, 0, 0, 0, 1}, leave};
        return spec;
    };
    Bench bench;
    bench.install(nested(1), 1);
    CHECK(bench.run().code == 1);
    CHECK(bench.run().code == 2);
    bench.install(nested(1), 2);
    CHECK(bench.report.maps[0].decision == MapDecision::fresh);
    CHECK(bench.report.maps[1].decision == MapDecision::kept);
    CHECK(bench.run().code == 3);
    bench.install(nested(2), 3);
    CHECK(bench.run().code == 1);
    REQUIRE(bench.slot.rollback().ok());
    CHECK(bench.run().code == 4);
}

TEST_CASE("a kept ring goes on where it was; one of another size cannot be kept") {
    const auto logging = [](std::uint64_t bytes) {
        BundleSpec spec;
        spec.maps = {{.name = "log", .type = 27, .key = 0, .value = 0, .entries = bytes}};
        spec.helpers = {130};
        spec.code = {{0x7a, 10, 0, -8, 7}, {0x18, 1, 5, 0, 0}, {}, {0xbf, 2, 10, 0, 0}, {0x07, 2, 0, 0, -8}, {0xb7, 3, 0, 0, 8}, {0xb7, 4, 0, 0, 0}, {0x85, 0, 0, 0, 130}, leave};
        return spec;
    };
    Bench bench;
    bench.install(logging(4096), 1);
    bench.run();
    bench.install(logging(4096), 2);
    bench.run();
    CHECK(bench.slot.find_map("log")->entries() == 2);
    CHECK(bench.stage(logging(8192), 3) == "map-policy");
}

TEST_CASE("a reset map starts anew, and the running program keeps its own") {
    Bench bench;
    bench.install(counting(), 1);
    bench.run();
    const MapPolicyEntry entry{.map = "counts", .policy = MapPolicy::reset};
    REQUIRE(bench.stage(counting(), 2, {{&entry, 1}}) == "");
    CHECK(bench.report.maps[0].decision == MapDecision::reset);
    CHECK(bench.run().code == 2);
    REQUIRE(bench.slot.activate().ok());
    CHECK(bench.run().code == 1);
}

TEST_CASE("a map whose layout changed cannot be kept") {
    Bench bench;
    bench.install(counting(), 1);
    CHECK(bench.stage(counting({.name = "counts", .type = 2, .value = 16, .entries = 1}), 2) == "map-policy");
    const MapPolicyEntry reset{.map = "counts", .policy = MapPolicy::reset};
    CHECK(bench.stage(counting({.name = "counts", .type = 2, .value = 16, .entries = 1}), 2, {{&reset, 1}}) == "");
}

TEST_CASE("a policy for a map that does not exist, or for migration, is refused") {
    Bench bench;
    const MapPolicyEntry unknown{.map = "other", .policy = MapPolicy::keep};
    CHECK(bench.stage(counting(), 1, {{&unknown, 1}}) == "map-policy");
    const MapPolicyEntry migrate{.map = "counts", .policy = MapPolicy::migrate};
    CHECK(bench.stage(counting(), 1, {{&migrate, 1}}) == "map-policy");
}

TEST_CASE("constants come from the new program though its other maps are kept") {
    const auto with_constant = [](std::uint8_t value) {
        BundleSpec spec;
        spec.maps = {{.name = ".rodata", .type = 2, .value = 1, .entries = 1, .flags = 128, .data = {{value}}}};
        spec.code = {{0x18, 1, 6, 0, 0}, {}, {0x71, 0, 1, 0, 0}, leave};
        return spec;
    };
    Bench bench;
    bench.install(with_constant(3), 1);
    CHECK(bench.run().code == 3);
    bench.install(with_constant(4), 2);
    CHECK(bench.run().code == 4);
    CHECK(bench.report.maps[0].decision == MapDecision::fresh);
}

TEST_CASE("a program that exceeds its budget is stopped and counted") {
    for (const auto engine : {EngineOption::interpreter, EngineOption::jit}) {
        Bench bench{engine};
        bench.install(endless(), 1);
        CHECK(bench.run().outcome == RunOutcome::budget);
        CHECK(bench.slot.counters().budget == 1);
        CHECK(bench.slot.active()->sequence == 1);
    }
}

TEST_CASE("in probation a program that keeps being stopped is rolled back, once") {
    Bench bench;
    bench.slot.set_limits(1000, 0);
    bench.install(returning(2), 1);
    for (int i = 0; i < 64; ++i) bench.run();  // survives its probation
    bench.slot.set_limits(1000, 1'000'000'000'000);
    bench.install(endless(), 2);
    for (int i = 0; i < 31; ++i) CHECK(bench.run().outcome == RunOutcome::budget);
    CHECK(bench.slot.active()->sequence == 2);
    bench.run();
    CHECK(bench.slot.active()->sequence == 1);
    CHECK(bench.slot.counters().rollbacks == 1);
    CHECK(bench.run().code == 2);
    CHECK(bench.slot.floor() == 2);
}

TEST_CASE("packets cannot force a second rollback, or one to a program that never proved itself") {
    Bench bench;
    bench.slot.set_limits(1000, 1'000'000'000'000);
    bench.install(endless(), 1);
    bench.install(endless(), 2);
    for (int i = 0; i < 500; ++i) bench.run();
    CHECK(bench.slot.active()->sequence == 2);
    CHECK(bench.slot.counters().rollbacks == 0);
}

TEST_CASE("on a quiet guest a bad program is found out by the first packets, after any time") {
    const timespec pause{0, 3'000'000};
    Bench bench;
    bench.slot.set_limits(1000, 1'000'000);
    bench.install(returning(2), 1);
    for (int i = 0; i < 3; ++i) bench.run();
    nanosleep(&pause, nullptr);
    bench.install(endless(), 2);
    nanosleep(&pause, nullptr);
    for (int i = 0; i < 32; ++i) CHECK(bench.run().outcome == RunOutcome::budget);
    CHECK(bench.slot.active()->sequence == 1);
    CHECK(bench.run().code == 2);
}

TEST_CASE("a program that aborts every packet is rolled back, one that passes some is not") {
    for (const bool mixed : {false, true}) {
        Bench bench;
        bench.slot.set_limits(1000, 0);
        bench.install(returning(2), 1);
        bench.slot.set_limits(1000, 1'000'000'000'000);
        // counts[0] goes up with each run: the first one aborts nothing.
        bench.install(mixed ? counting() : returning(0), 2);
        for (int i = 0; i < 40; ++i) bench.run();
        CHECK(bench.slot.active()->sequence == (mixed ? 2 : 1));
        CHECK(bench.slot.counters().rollbacks == (mixed ? 0 : 1));
    }
}

TEST_CASE("a release names how long it is on probation, and what is bad there") {
    const timespec pause{0, 3'000'000};
    struct Row {
        const char* name;
        Probation probation;
        BundleSpec program;
        int runs;
        std::uint64_t active;
    };
    const Row rows[] = {
        {"one bad packet is enough", {1'000'000'000'000, 1, 1, false}, endless(), 1, 1},
        {"four of its packets are", {1'000'000'000'000, 4, 1, false}, endless(), 4, 1},
        {"three of four are not", {1'000'000'000'000, 4, 1, false}, endless(), 3, 2},
        {"aborts count where it says so", {1'000'000'000'000, 8, 1, true}, returning(0), 8, 1},
        {"aborts of every packet do anyway", {1'000'000'000'000, 8, 1, false}, returning(0), 8, 1},
        {"its time is over, its packets are not", {1'000'000, 500, 1, false}, endless(), 32, 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Bench bench;
        bench.slot.set_limits(1000, 0);
        bench.install(returning(2), 1);
        const auto bundle = test::encode(row.program);
        REQUIRE(bench.slot.stage(bundle, {}, ReleaseMeta{.sequence = 2, .probation = row.probation}, bench.report).ok());
        REQUIRE(bench.slot.activate().ok());
        nanosleep(&pause, nullptr);
        for (int i = 0; i < row.runs; ++i) bench.run();
        CHECK(bench.slot.active()->sequence == row.active);
    }
}

TEST_CASE("after probation traps only drop packets") {
    Bench bench;
    bench.slot.set_limits(1000, 0);
    bench.install(returning(2), 1);
    for (int i = 0; i < 64; ++i) bench.run();
    bench.install(endless(), 2);
    for (int i = 0; i < 500; ++i) bench.run();
    CHECK(bench.slot.active()->sequence == 2);
}

TEST_CASE("a hundred updates leave no memory behind") {
    Bench bench;
    bench.install(counting(), 1);
    bench.install(counting(), 2);
    bench.install(counting(), 3);
    bench.slot.collect();
    const std::size_t used = Heap::system().used();
    for (std::uint64_t sequence = 4; sequence < 104; ++sequence) bench.install(counting(), sequence);
    bench.slot.collect();
    CHECK(Heap::system().used() <= used);  // a block may be a few bytes larger than asked for, and was
}

TEST_CASE("the registry finds slots by element, and forgets removed ones") {
    SlotRegistry registry;
    ProgramSlot one{options_of()};
    auto options = options_of();
    options.element = "nat";
    ProgramSlot two{options};
    REQUIRE(registry.add(one).ok());
    REQUIRE(registry.add(two).ok());
    CHECK(registry.find("nat") == &two);
    registry.remove(one);
    CHECK(registry.find("fw") == nullptr);
    CHECK(registry.slots().size() == 1);
}
