#include "guest/control/resources/ring_access.hpp"

#include <algorithm>

#include "guest/bpf/maps/map_ring.hpp"
#include "guest/control/keys.hpp"
#include "guest/core/heap.hpp"
#include "guest/platform/platform.hpp"

namespace unibpf {

namespace {

constexpr std::size_t entry_overhead = 1 + 1 + 5;  // heads of array, empty key and record
constexpr std::size_t records_bytes = abi::max_record_bytes + entry_overhead;  // of one answer: any single record fits

struct RingQuery {
    std::uint64_t position = 0;  // as on the wire: counted from the ring's origin
    std::uint64_t most = 0;      // records; 0 takes what fits
};

Result<RingQuery> read_ring_query(const RingMap& ring, Bytes body) {
    cbor::Reader reader{body};
    auto fields = TRY(cbor::MapReader::open(reader));
    RingQuery query;
    while (const auto key = TRY(fields.next())) {
        switch (static_cast<RingQueryKey>(*key)) {
            case RingQueryKey::position: query.position = TRY(reader.uint()); break;
            case RingQueryKey::most: query.most = TRY(reader.uint()); break;
            default: return fields.unknown(*key);
        }
    }
    TRY(reader.end());
    if (query.position > ring.origin() + ring.produced()) return reader.error("the position lies ahead of the ring", query.position);
    return query;
}

bool consume_some(RingMap& ring, std::uint64_t position) {
    const platform::NoPreempt whole;
    return ring.give_back(position);
}

RingMap::Step read_one(const RingMap& ring, std::uint64_t position) {
    const platform::NoPreempt whole;
    return ring.read(position);
}

}  // namespace

bool is_ring(const Map& map) { return map.holds() == abi::Holds::records || map.holds() == abi::Holds::events; }

Status write_ring_dump(cbor::Writer& writer, Map& map, Bytes body) {
    auto& ring = static_cast<RingMap&>(map);
    const RingQuery query = TRY(read_ring_query(ring, body));
    auto room = make_array<std::uint8_t>(records_bytes);
    if (!room) return Error{"memory", "there is no memory for the dump now", records_bytes};
    // So often at most, whatever an isolated program says of its ring.
    std::uint64_t rounds = ring.size() / RingMap::header_bytes / RingMap::records_a_step + 1;
    while (rounds-- != 0 && query.position > ring.origin() && consume_some(ring, query.position - ring.origin())) {}

    cbor::Writer records{room.span()};
    std::uint64_t count = 0;
    std::uint64_t position = ring.consumed();
    const std::uint64_t end = std::min(ring.produced(), position + std::min(ring.size(), UINT64_MAX - position));  // what comes meanwhile is the next answer's
    while (position < end && (query.most == 0 || count < query.most)) {
        const RingMap::Step step = read_one(ring, position);
        if (step.found && records.size() + step.record.size() + entry_overhead > room.size()) break;
        if (step.next <= position) break;  // never of a whole ring
        position = step.next;
        if (!step.found) continue;
        records.array(2);
        records.bytes({});
        records.bytes(step.record);
        ++count;
    }

    cbor::Fields<DumpKey> fields{writer};
    fields[DumpKey::name].text(map.name());
    fields[DumpKey::type].uint(map.type());
    fields[DumpKey::key_size].uint(map.key_size());
    fields[DumpKey::value_size].uint(map.value_size());
    fields[DumpKey::entries].array(count);
    writer.raw(records.written());
    fields[DumpKey::held].uint(map.entries());
    fields[DumpKey::next].uint(0);
    fields[DumpKey::position].uint(ring.origin() + position);
    fields[DumpKey::lost].uint(ring.lost());
    return done();
}

}  // namespace unibpf
