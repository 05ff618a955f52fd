// What `FETCH /status` answers (schemas/control.cddl), read from the running guest.
//
// Counters are read one word at a time while packets flow: each is exact, but they are not of one instant.
#pragma once

#include "guest/control/parts.hpp"
#include "guest/control/trust/mac.hpp"
#include "guest/control/steps.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

void write_status(cbor::Writer& writer, const ControlParts& parts, const MacKeys& keys, const Steps& boot_steps);

}  // namespace unibpf
