// Made by schemas/control_keys.py from schemas/control.cddl: the names of the control channel's keys.
#pragma once

#include <cstdint>

namespace unibpf {

enum class MacClaimsKey : std::int8_t {
    direction = 0,
    code = 1,
    path = 2,
    guest = 3,
    nonce = 4,
    counter = 5,
    body_digest = 6,
    request_tag = 7,
};

enum class ActivateKey : std::int8_t {
    envelope = 0,
};

enum class UpdateKey : std::int8_t {
    already = 0,
    element = 1,
    program = 2,
    sequence = 3,
    envelope = 4,
    steps = 5,
    maps = 6,
    engine = 7,
    trace = 8,
    swap_ns = 9,
    longest_gap_ns = 10,
    packets_during = 11,
    packets_lost = 12,
    engine_before = 13,
};

enum class StatusKey : std::int8_t {
    guest = 0,
    boot_nonce = 1,
    uptime_ns = 2,
    audience = 3,
    elements = 4,
    nics = 5,
    memory = 6,
    graph = 7,
    longest_gap_ns = 8,
    boot = 9,
    version = 10,
    platform = 11,
    recent_gap_ns = 12,
};

enum class ElementKey : std::int8_t {
    name = 0,
    class_name = 1,
    kind = 2,
    program = 3,
    sequence = 4,
    envelope = 5,
    engine = 6,
    packets = 7,
    drops = 8,
    maps = 9,
    staged = 10,
    previous = 11,
    floor = 12,
    handlers = 13,
    isolation = 14,
};

enum class MapQueryKey : std::int8_t {
    cursor = 0,
    most = 1,
    key = 2,
};

enum class RingQueryKey : std::int8_t {
    position = 0,
    most = 1,
};

enum class DumpKey : std::int8_t {
    name = 0,
    type = 1,
    key_size = 2,
    value_size = 3,
    entries = 4,
    held = 5,
    next = 6,
    position = 7,
    lost = 8,
};

enum class MapChangesKey : std::int8_t {
    changes = 0,
    flags = 1,
    envelope = 2,
};

enum class MapChangedKey : std::int8_t {
    name = 0,
    applied = 1,
    entries = 2,
    steps = 3,
    error = 4,
};

enum class HandlerKey : std::int8_t {
    element = 0,
    name = 1,
    value = 2,
};

enum class ProblemKey : std::int8_t {
    title = -1,
    detail = -2,
    response_code = -4,
};

enum class RefusalKey : std::int8_t {
    rule = 0,
    highest = 1,
};

}  // namespace unibpf
