// The CBOR bodies of the answers about updates and errors (schemas/control.cddl), written from facts.
#pragma once

#include "guest/control/steps.hpp"
#include "guest/control/update/updater.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

void write_steps(cbor::Writer& writer, const Steps& steps);
// `trace`: the request's trace context, echoed; empty for none.
void write_staged(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace);
void write_activated(cbor::Writer& writer, const UpdateReport& report, const Steps& steps, Bytes trace);
// RFC 9290.
void write_problem(cbor::Writer& writer, const Error& error, const RuleRow& row);

}  // namespace unibpf
