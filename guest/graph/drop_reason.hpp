// Every reason for which an element drops a packet: one table that gives the enum, the counter's name and what it means.
//
// The name is what `FETCH /status`, `docs/elements.md` and the element tests show. A new reason is a new row; rows never
// change their name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace unibpf {

// X(enumerator, name, meaning)
#define UNIBPF_DROP_REASONS(X)                                                              \
    X(discarded, "discarded", "reached Discard or Idle, as the graph says")                 \
    X(no_match, "no-match", "matched no pattern, or its output port is not connected")      \
    X(too_short, "too-short", "shorter than the header that the element reads")             \
    X(bad_header, "bad-header", "a header field is out of its range")                       \
    X(bad_checksum, "bad-checksum", "the IP or ICMP checksum does not add up")              \
    X(bad_source, "bad-source", "the source address may not send packets")                  \
    X(not_ours, "not-ours", "a request for somebody else's address")                        \
    X(queue_full, "queue-full", "the queue was full")                                       \
    X(no_buffer, "no-buffer", "the packet pool was empty when a copy was needed")           \
    X(no_headroom, "no-headroom", "no room to add a header")                                \
    X(no_program, "no-program", "the BPF element has no valid program: it fails closed")    \
    X(aborted, "aborted", "the program returned XDP_ABORTED or was stopped by a fault")     \
    X(unknown_code, "unknown-code", "the program returned a code that has no meaning")      \
    X(budget, "budget", "the program exceeded its instruction budget")                      \
    X(no_port, "no-port", "the program named a port that is not connected")                 \
    X(by_program, "dropped-by-program", "the program returned XDP_DROP and port 1 is free") \
    X(no_route, "no-route", "no route leads to its destination")                            \
    X(expired, "expired", "its time to live or its time to wait is over")                   \
    X(too_long, "too-long", "longer than the link or the element lets pass")                \
    X(broadcast, "broadcast", "sent to everybody on the link, so nobody forwards it")       \
    X(no_error, "no-error", "no ICMP error may answer it (RFC 1812 4.3.2.7)")               \
    X(denied, "denied", "a rule of the filter drops it")                                    \
    X(policed, "policed", "a sampler, a rate or a switch says that it goes no further")     \
    X(early, "early", "dropped before the queue is full, so that senders slow down")        \
    X(unresolved, "unresolved", "nobody said which link address it should go to")           \
    X(no_mapping, "no-mapping", "the rewriter has no mapping for it")                       \
    X(table_full, "table-full", "no room for another flow or mapping")                      \
    X(incomplete, "incomplete", "fragments of it are missing")                              \
    X(consumed, "consumed", "did its work at the element that it was for")

enum class DropReason : std::uint8_t {
#define X(enumerator, name, meaning) enumerator,
    UNIBPF_DROP_REASONS(X)
#undef X
};

struct DropReasonInfo {
    std::string_view name;
    std::string_view meaning;
};

inline constexpr DropReasonInfo drop_reasons[] = {
#define X(enumerator, name, meaning) {name, meaning},
    UNIBPF_DROP_REASONS(X)
#undef X
};
inline constexpr std::size_t drop_reason_count = sizeof(drop_reasons) / sizeof(drop_reasons[0]);

constexpr std::string_view drop_reason_name(DropReason reason) {
    return drop_reasons[static_cast<std::size_t>(reason)].name;
}

// One counter for each reason; `counts[i]` belongs to `drop_reasons[i]`.
using DropCounters = std::array<std::uint64_t, drop_reason_count>;

}  // namespace unibpf
