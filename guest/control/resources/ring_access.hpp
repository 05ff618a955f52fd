// `FETCH /elements/<e>/maps/<m>` of a ring (schemas/control.cddl): what programs left for control to read.
//
// The request says up to which position its sender has everything: those records are given back to the data path. The answer
// has the records after them and the position to say next time. So an answer that was lost is asked for again, and a record is
// lost only when the ring was full, which is counted.
#pragma once

#include "guest/core/bytes.hpp"
#include "guest/core/cbor.hpp"
#include "guest/core/result.hpp"

namespace unibpf {

class Map;

bool is_ring(const Map& map);
// Rules `shape` (also a position that the ring has not reached: then nothing was given back), `memory`.
Status write_ring_dump(cbor::Writer& writer, Map& map, Bytes body);

}  // namespace unibpf
