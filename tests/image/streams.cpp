#include "tests/image/streams.hpp"

#include <array>

#include "guest/bpf/interpreter/interpreter.hpp"
#include "guest/platform/platform.hpp"
#include "guest/run/load.hpp"
#include "tests/image/entries.hpp"

namespace unibpf {
namespace {

using Line = TextBuffer<16384>;
constexpr std::size_t said_every = 50;

struct Preset {
    std::string_view map;
    cbor::Bytes key, value;
};

struct Stream {
    cbor::Bytes bundle;
    std::array<Preset, 8> presets;
    std::size_t preset_count = 0;
    WantedEntries wanted;
};

struct Packets {
    std::array<cbor::Bytes, 1024> all;
    std::size_t count = 0;
};

// http://www.isthe.com/chongo/tech/comp/fnv, FNV-1a.
class Hash {
  public:
    void add(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100'0000'01b3; }
    void add(std::span<const std::uint8_t> bytes) {
        for (const std::uint8_t byte : bytes) add(byte);
    }
    void add(std::uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) add(static_cast<std::uint8_t>(value >> 8 * i));
    }
    std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0xcbf2'9ce4'8422'2325;
};

Status read_stream(cbor::Reader& reader, Stream& one) {
    if (TRY(reader.array()) != 3) return reader.error("a stream has three items");
    one.bundle = TRY(reader.bytes());
    one.preset_count = TRY(reader.array());
    if (one.preset_count > one.presets.size()) return reader.error("too many entries are set", one.preset_count);
    for (std::size_t i = 0; i < one.preset_count; ++i) {
        if (TRY(reader.array()) != 3) return reader.error("an entry is set by map, key and value");
        one.presets[i].map = TRY(reader.text());
        one.presets[i].key = TRY(reader.bytes());
        one.presets[i].value = TRY(reader.bytes());
    }
    return read_wanted(reader, one.wanted);
}

Status read_packets(cbor::Reader& reader, Packets& packets) {
    packets.count = TRY(reader.array());
    if (packets.count > packets.all.size()) return reader.error("too many packets", packets.count);
    for (std::size_t i = 0; i < packets.count; ++i) packets.all[i] = TRY(reader.bytes());
    return done();
}

Status set(const Program& program, const Preset& preset) {
    Map* map = program.find_map(preset.map);
    if (map == nullptr || map->key_size() != preset.key.size() || map->value_size() != preset.value.size()) {
        return Error{"shape", "an entry that is set fits no map"};
    }
    const long result = map->update(preset.key.data(), preset.value.data(), abi::update_any);
    if (result != 0) return Error{"shape", "a map does not take an entry", static_cast<std::uint64_t>(-result)};
    return done();
}

Status run_stream(const Stream& one, const Packets& packets, bool native, TextWriter& line) {
    static BundleView view;
    TRY(decode_bundle(one.bundle, view));
    const Owned<Program> program = TRY(run::load(view, native));
    for (std::size_t i = 0; i < one.preset_count; ++i) TRY(set(*program, one.presets[i]));
    Hash hash;
    TextBuffer<1024> hashes;
    std::uint64_t exits = 0;
    for (std::size_t i = 0; i < packets.count; ++i) {
        const PacketPtr packet = run::packet_of(packets.all[i]);
        const auto machine = packet ? make<Machine>(*program, *packet, abi::default_budget) : Owned<Machine>{};
        if (!machine) return Error{"memory", "no room for a run"};
        exits += (native ? jit::run(*machine) : interpret_trusting(*machine)) == Stop::exit;
        hash.add(machine->r0, 4);
        hash.add(packet->length(), 2);
        hash.add(packet->bytes());
        if ((i + 1) % said_every == 0) hashes.text(i + 1 == said_every ? "" : ",").hex(hash.value());
    }
    line.number(exits).text(" ").text(hashes.view());
    put_values(line, *program, one.wanted);
    return done();
}

void say_stream(const Stream& one, const Packets& packets, std::uint64_t number, bool native) {
    static Line line;
    line.clear();
    line.text("stream ").number(number).text(native ? " jit " : " interpreter ");
    const Status status = run_stream(one, packets, native, line);
    if (!status.ok()) line.text("refused ").text(status.error().text);
    line.text("\n");
    platform::console_write(line.view());
}

}  // namespace

// The packets come last, so the programs are read twice.
Status run_streams(cbor::Reader& reader) {
    static Stream one;
    static Packets packets;
    cbor::Reader ahead = reader;
    for (std::uint64_t left = TRY(ahead.array()); left > 0; --left) TRY(read_stream(ahead, one));
    TRY(read_packets(ahead, packets));
    const std::uint64_t count = TRY(reader.array());
    for (std::uint64_t number = 0; number < count; ++number) {
        TRY(read_stream(reader, one));
        say_stream(one, packets, number, false);
        say_stream(one, packets, number, true);
    }
    platform::console_write("streams done\n");
    return done();
}

}  // namespace unibpf
