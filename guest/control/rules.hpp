// Every rule by which the guest refuses a request: one table that gives the id, the CoAP code and what was expected.
//
// schemas/control.cddl lists the ids in the order of the checks; the README of the reconfigurer and the counters of the
// Control element use them. `key` is what an Error carries inside the guest; where one id has two codes, two keys share it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "guest/control/coap/message.hpp"

namespace unibpf {

struct RuleRow {
    std::string_view key;
    std::string_view rule;
    coap::Code code;
    std::string_view expected;
    bool tells_highest = false;  // the error's value is the highest counter or sequence seen
};

inline constexpr auto rule_table = std::to_array<RuleRow>({
    {"size", "size", coap::too_large, "a body within the size that `Size1` names"},
    {"shape", "shape", coap::bad_request, "the form that schemas/control.cddl and schemas/envelope.cddl give"},
    {"key", "key", coap::unauthorized, "a key that the boot image pins, with its algorithm"},
    {"signature", "signature", coap::unauthorized, "a signature by the pinned key over these very bytes"},
    {"payload", "payload", coap::bad_request, "a release as in schemas/envelope.cddl"},
    {"audience", "audience", coap::forbidden, "a release for this guest's class"},
    {"element", "element", coap::not_found, "the name of a BPF element of the graph"},
    {"other-element", "element", coap::forbidden, "a release for this element or for `*`"},
    {"kind", "kind", coap::forbidden, "the kind of program that the element runs"},
    {"program", "program", coap::forbidden, "the program that the graph names for this element"},
    {"sequence", "sequence", coap::conflict, "a sequence above the highest one seen", true},
    {"precursor", "precursor", coap::conflict, "the release's precursor to be active"},
    {"not-after", "not-after", coap::forbidden, "a release that has not expired"},
    {"bundle-length", "bundle-length", coap::bad_request, "the bundle that was signed"},
    {"bundle-digest", "bundle-digest", coap::bad_request, "the bundle that was signed"},
    {"abi", "abi", coap::unprocessable, "a bundle of program interface version 1"},
    {"limits", "limits", coap::unprocessable, "a program within the limits of the program interface"},
    {"instruction", "instruction", coap::unprocessable, "instructions that RFC 9669 knows"},
    {"helper", "helper", coap::unprocessable, "helpers that this guest offers to this kind of program"},
    {"map-policy", "map-policy", coap::unprocessable, "maps that can be kept, migrated or reset as the release says"},
    {"memory", "memory", coap::internal_error, "memory for the new program beside the old one"},
    {"load", "load", coap::internal_error, "a program that can be loaded"},
    {"mac", "mac", coap::unauthorized, "a MAC by the key of this boot for this very request"},
    {"counter", "counter", coap::conflict, "a counter above the highest one seen, by at most 2^45", true},
    {"method", "method", coap::method_not_allowed, "a method that this resource has"},
    {"path", "path", coap::not_found, "a path that `/.well-known/core` lists"},
    {"option", "option", coap::bad_option, "CoAP options that this server knows"},
    {"format", "option", coap::unsupported_format, "content format 60 (CBOR)"},
    {"accept", "option", coap::not_acceptable, "an `Accept` of the resource's content format"},
    {"proxy", "option", coap::no_proxy, "a request for this server itself"},
    {"block", "block", coap::bad_request, "blocks as in RFC 7959"},
    {"incomplete", "block", coap::incomplete, "the blocks in order, from the first one"},
    {"busy", "busy", coap::unavailable, "the same request again in a second"},
    {"nothing-staged", "nothing-staged", coap::conflict, "the staged release's envelope digest"},
    {"nothing-previous", "nothing-previous", coap::conflict, "a previous program that is still loaded"},
    {"map", "path", coap::not_found, "the name of a map of the active program"},
    {"map-readonly", "map-readonly", coap::forbidden, "a map of values, devices or maps that is not read-only data"},
    {"map-entry", "map-entry", coap::unprocessable, "keys and values of the sizes that `FETCH /status` tells"},
    {"no-handler", "handler", coap::not_found, "an element of the graph and a handler of it that can be read, or written, as is asked"},
    {"handler", "handler", coap::unprocessable, "a value that the handler takes"},
    {"release", "release", coap::conflict, "the release that the request names to be the active one"},
    {"answer", "size", coap::internal_error, "an answer that fits into the guest's buffer"},
    // These end a boot or a graph, before there is a channel.
    {"boot", "load", coap::internal_error, "a boot image as in schemas/boot.cddl"},
    {"nic", "load", coap::internal_error, "a NIC as virtio 1.2 describes it"},
    {"isolation", "load", coap::internal_error, "a machine that can isolate programs"},
    {"internal", "load", coap::internal_error, "no fault inside the guest"},
});

static_assert(rule_table.back().key == "internal");

// The row of an Error's rule; the last one for a rule that is not listed.
constexpr std::size_t rule_index(std::string_view key) {
    for (std::size_t i = 0; i < rule_table.size(); ++i) {
        if (rule_table[i].key == key) return i;
    }
    return rule_table.size() - 1;
}

}  // namespace unibpf
