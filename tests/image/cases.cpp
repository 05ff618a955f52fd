#include "tests/image/cases.hpp"

#include <algorithm>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/core/format.hpp"
#include "guest/platform/platform.hpp"
#include "guest/run/load.hpp"
#include "tests/image/entries.hpp"

namespace unibpf {
namespace {

using Line = TextBuffer<8192>;

struct Case {
    cbor::Bytes bundle, packet;
    WantedEntries wanted;
};

Status read_case(cbor::Reader& reader, Case& one) {
    if (TRY(reader.array()) != 3) return reader.error("a case has three items");
    one.bundle = TRY(reader.bytes());
    one.packet = TRY(reader.bytes());
    return read_wanted(reader, one.wanted);
}

std::string_view name_of(Stop stop) {
    return stop == Stop::exit     ? "exit"
           : stop == Stop::budget ? "budget"
                                  : "fault";
}

Status run_case(const Case& one, bool native, TextWriter& line) {
    static BundleView view;
    TRY(decode_bundle(one.bundle, view));
    const Owned<Program> program = TRY(run::load(view, native));
    const PacketPtr packet = run::packet_of(one.packet);
    const auto machine = packet ? make<Machine>(*program, *packet, abi::default_budget) : Owned<Machine>{};
    if (!machine) return Error{"memory", "no room for a run"};
    const Stop stop = native ? jit::run(*machine) : interpret_trusting(*machine);
    line.text(name_of(stop)).text(" ").hex(machine->r0).text(" ");
    put_hex(line, packet->data(), packet->length());
    put_values(line, *program, one.wanted);
    return done();
}

void say_case(const Case& one, std::uint64_t number, bool native) {
    static Line line;
    line.clear();
    line.text("case ").number(number).text(native ? " jit " : " interpreter ");
    const Status status = run_case(one, native, line);
    if (!status.ok()) line.text("refused ").text(status.error().text);
    line.text("\n");
    platform::console_write(line.view());
}

// Of the page that the last native program was in and gave back: bytes that are not int3.
void say_left_code() {
    const auto page = platform::code_allocate(1);
    const auto left = std::ranges::count_if(page, [](std::byte byte) { return byte != std::byte{0xcc}; });
    TextBuffer<80> line;
    line.text("code left in ").number(page.size()).text(" bytes: ").number(static_cast<std::uint64_t>(left)).text("\n");
    platform::console_write(line.view());
    platform::code_release(page);
}

}  // namespace

Status run_cases(cbor::Reader& reader) {
    const std::uint64_t count = TRY(reader.array());
    for (std::uint64_t number = 0; number < count; ++number) {
        static Case one;
        TRY(read_case(reader, one));
        say_case(one, number, false);
        say_case(one, number, true);
    }
    say_left_code();
    platform::console_write("cases done\n");
    return done();
}

}  // namespace unibpf
