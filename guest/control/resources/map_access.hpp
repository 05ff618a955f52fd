// `FETCH` and `POST /elements/<e>/maps/<m>` (schemas/control.cddl): what a map of the active program holds, and changes to it,
// while packets flow.
//
// One entry is copied or changed at a time, each under NoPreempt: packets wait for one entry at most, never for a request, and
// neither side ever sees half an entry. Entries that come or go during a dump may or may not be in it (as in Linux), and
// packets may run between two changes of one request.
// All that can be wrong with a request by itself is found before its first change. What only the map can tell (it is full, the
// entry exists) ends the request there: the answer says how many changes were made and which error ended them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "guest/core/bytes.hpp"
#include "guest/control/steps.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

class Map;
class ProgramSlot;

inline constexpr std::size_t max_map_changes = 4096;        // in one request
inline constexpr std::size_t map_changes_body = 96 * 1024;  // holds a change of the largest key and value, and a MAC

// A map of the active program: it lives until control itself collects the program, whatever packets do. Rule `map`.
Result<Map*> map_of(const ProgramSlot& slot, std::string_view name);

// A page of the map, or the entry of one key.
struct MapQuery {
    std::uint32_t cursor = 0;
    std::uint64_t most = 0;  // entries; 0 takes what fits
    std::optional<Bytes> key;
};
Result<MapQuery> read_map_query(Bytes body);
// Rules `map-entry` (a key of another length), `memory`.
Status write_map_dump(cbor::Writer& writer, Map& map, const MapQuery& query);

// Rules `map-readonly`, `shape`, `limits`, `map-entry`, `release`: then nothing was changed.
Status change_map(cbor::Writer& writer, const ProgramSlot& slot, Map& map, Bytes body, Steps& steps);

}  // namespace unibpf
