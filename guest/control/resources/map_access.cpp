#include "guest/control/resources/map_access.hpp"

#include <algorithm>

#include "guest/bpf/slot.hpp"
#include "guest/control/keys.hpp"
#include "guest/control/resources/answers.hpp"
#include "guest/core/heap.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

constexpr std::size_t dump_bytes = 48 * 1024;      // entries of one answer
constexpr std::size_t entry_overhead = 1 + 5 + 5;  // array and two byte string heads at most

// Entries of an answer, as they are written before their number is known.
struct Entries {
    cbor::Writer writer;
    std::uint64_t count = 0;

    void add(Bytes key, Bytes value) {
        writer.array(2);
        writer.bytes(key);
        writer.bytes(value);
        ++count;
    }
};

void write_dump(cbor::Writer& writer, const Map& map, const Entries& entries, std::uint32_t next) {
    cbor::Fields<DumpKey> fields{writer};
    fields[DumpKey::name].text(map.name());
    fields[DumpKey::type].uint(map.type());
    fields[DumpKey::key_size].uint(map.key_size());
    fields[DumpKey::value_size].uint(map.value_size());
    fields[DumpKey::entries].array(entries.count);
    writer.raw(entries.writer.written());
    fields[DumpKey::held].uint(map.entries());
    fields[DumpKey::next].uint(next);
}

// Programs come from the loader only, records from programs only.
bool has_entries_by_key(const Map& map) {
    return map.holds() == abi::Holds::values || map.holds() == abi::Holds::devices || map.holds() == abi::Holds::maps;
}

// One change of a request: without a value, the entry is deleted.
struct Change {
    Bytes key;
    Bytes value;
    bool deletes = false;
};

Result<Change> read_change(cbor::Reader& reader) {
    const std::uint64_t items = TRY(reader.array());
    if (items < 1 || items > 2) return reader.error("a change is neither a key nor a key with its value", items);
    Change change;
    change.deletes = items == 1;
    change.key = TRY(reader.bytes());
    if (!change.deletes) change.value = TRY(reader.bytes());
    return change;
}

Status check_change(const Map& map, const Change& change) {
    if (change.key.size() != map.key_size()) return Error{"map-entry", "the key is not as long as the map's", change.key.size()};
    if (!change.deletes && change.value.size() != map.value_size()) {
        return Error{"map-entry", "the value is not as long as the map's", change.value.size()};
    }
    return done();
}

struct Changes {
    Bytes list;  // from the first change on
    std::uint64_t count = 0;
    std::uint64_t flags = abi::update_any;
    Bytes release;  // the envelope digest that must be active; empty: any
};

Result<Changes> read_changes(const Map& map, Bytes body) {
    cbor::Reader reader{body};
    auto fields = TRY(cbor::MapReader::open(reader));
    Changes changes;
    while (const auto key = TRY(fields.next())) {
        switch (static_cast<MapChangesKey>(*key)) {
            case MapChangesKey::changes:
                changes.count = TRY(reader.array());
                if (changes.count > max_map_changes) return Error{"limits", "the request has too many changes", changes.count};
                changes.list = body.subspan(reader.position());
                for (std::uint64_t i = 0; i < changes.count; ++i) TRY(check_change(map, TRY(read_change(reader))));
                break;
            case MapChangesKey::flags: changes.flags = TRY(reader.uint()); break;
            case MapChangesKey::envelope: changes.release = TRY(reader.bytes()); break;
            default: return fields.unknown(*key);
        }
    }
    TRY(fields.require(0b1));
    TRY(reader.end());
    if (changes.flags > abi::update_exist) return reader.error("the flags are none of any, noexist and exist", changes.flags);
    return changes;
}

Status check_release(const ProgramSlot& slot, Bytes wanted) {
    if (wanted.empty()) return done();
    const platform::NoPreempt whole;
    const ReleaseMeta* active = slot.active();
    if (active != nullptr && std::ranges::equal(active->digest, wanted)) return done();
    return Error{"release", "another release is active", active != nullptr ? active->sequence : 0};
}

bool copy_value(Map& map, Bytes key, std::span<std::uint8_t> value) {
    const platform::NoPreempt whole;
    return map.read(key.data(), value.data());
}

bool copy_next(const Map& map, std::uint32_t& cursor, std::span<std::uint8_t> key, std::span<std::uint8_t> value) {
    const platform::NoPreempt whole;
    const ScanStep step = map.scan(cursor, key.data(), value.data());
    cursor = step.next;
    return step.found;
}

// 0 or a Linux error number.
std::uint64_t apply(Map& map, const Change& change, std::uint64_t flags) {
    const platform::NoPreempt whole;
    const long result = change.deletes ? map.erase(change.key.data()) : map.set(change.key.data(), change.value.data(), flags);
    return static_cast<std::uint64_t>(-result);
}

}  // namespace

Result<Map*> map_of(const ProgramSlot& slot, std::string_view name) {
    const platform::NoPreempt whole;
    if (slot.active_program() != nullptr) {
        for (const MapRef& map : slot.active_program()->maps()) {
            if (map->name() == name) return map.get();
        }
    }
    return Error{"map", "the active program has no map of that name"};
}

Result<MapQuery> read_map_query(Bytes body) {
    cbor::Reader reader{body};
    auto fields = TRY(cbor::MapReader::open(reader));
    MapQuery query;
    while (const auto key = TRY(fields.next())) {
        switch (static_cast<MapQueryKey>(*key)) {
            case MapQueryKey::cursor: {
                const std::uint64_t cursor = TRY(reader.uint());
                if (cursor > UINT32_MAX) return reader.error("the cursor is out of its range", cursor);
                query.cursor = static_cast<std::uint32_t>(cursor);
                break;
            }
            case MapQueryKey::most: query.most = TRY(reader.uint()); break;
            case MapQueryKey::key: query.key = TRY(reader.bytes()); break;
            default: return fields.unknown(*key);
        }
    }
    TRY(reader.end());
    return query;
}

Status write_map_dump(cbor::Writer& writer, Map& map, const MapQuery& query) {
    const std::size_t entry_bytes = std::size_t{map.key_size()} + map.value_size();
    auto entry = make_array<std::uint8_t>(entry_bytes);
    auto room = make_array<std::uint8_t>(std::max(dump_bytes, entry_bytes + entry_overhead));
    if (!entry || !room) return Error{"memory", "there is no memory for the dump now", entry_bytes};
    Entries entries{cbor::Writer{room.span()}};
    const std::span<std::uint8_t> key = entry.span().first(map.key_size());
    const std::span<std::uint8_t> value = entry.span().subspan(map.key_size());

    std::uint32_t cursor = query.cursor;
    if (query.key.has_value()) {
        if (!has_entries_by_key(map)) return Error{"map-entry", "a map of this type has no values by key", map.type()};
        TRY(check_change(map, {*query.key, {}, true}));
        if (copy_value(map, *query.key, value)) entries.add(*query.key, value);
        cursor = 0;
    } else {
        do {
            if (copy_next(map, cursor, key, value)) entries.add(key, value);
        } while (cursor != 0 && (query.most == 0 || entries.count < query.most) &&
                 room.size() - entries.writer.size() >= entry_bytes + entry_overhead);
    }
    write_dump(writer, map, entries, cursor);
    return done();
}

Status change_map(cbor::Writer& writer, const ProgramSlot& slot, Map& map, Bytes body, Steps& steps) {
    if (map.read_only()) return Error{"map-readonly", "the map is read-only data of the program"};
    if (!has_entries_by_key(map)) return Error{"map-readonly", "the entries of a map of this type are not set from outside", map.type()};
    const Changes changes = TRY(read_changes(map, body));
    TRY(check_release(slot, changes.release));

    steps.begin("apply");
    cbor::Reader reader{changes.list};
    std::uint64_t applied = 0, error = 0;
    for (; applied < changes.count; ++applied) {
        error = apply(map, TRY(read_change(reader)), changes.flags);
        if (error != 0) break;
    }
    steps.end();

    cbor::Fields<MapChangedKey> fields{writer};
    fields[MapChangedKey::name].text(map.name());
    fields[MapChangedKey::applied].uint(applied);
    fields[MapChangedKey::entries].uint(map.entries());
    write_steps(fields[MapChangedKey::steps], steps);
    if (error != 0) fields[MapChangedKey::error].uint(error);
    return done();
}

}  // namespace unibpf
