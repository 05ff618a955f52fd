// What `FETCH /status` and `FETCH /elements/<e>/maps/<m>` answer (schemas/control.cddl), read from the running guest.
//
// Counters are read one word at a time while packets flow: each is exact, but they are not of one instant. An entry of a map is
// copied under NoPreempt, one a step, so a dump never holds up packets and never shows half an entry; entries that come
// or go during a dump may or may not be in it (as in Linux).
#pragma once

#include "guest/control/control.hpp"
#include "guest/control/mac.hpp"
#include "guest/control/steps.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

class ProgramSlot;

void write_status(cbor::Writer& writer, const ControlParts& parts, const MacKeys& keys, const Steps& boot_steps);

struct DumpRange {
    std::uint32_t cursor = 0;
    std::uint64_t most = 0;  // entries; 0 takes what fits
};
// Rules `map`, `memory`.
Status write_map_dump(cbor::Writer& writer, const ProgramSlot& slot, std::string_view map, const DumpRange& range);

}  // namespace unibpf
