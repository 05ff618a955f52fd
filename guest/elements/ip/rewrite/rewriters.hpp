#pragma once

#include "guest/elements/ip/rewrite/rewrite_input.hpp"
#include "guest/graph/element.hpp"
#include "guest/wire/ipv4.hpp"

namespace unibpf {

// What rewriters of all kinds share. A packet of a flow is changed as the flow says and leaves by that direction's output; one of
// none makes a flow as its input's specification says.
class FlowRewriter : public Element {
  public:
    using Ip = wire::Ipv4<std::uint8_t>;
    enum class Kind : std::uint8_t {
        ports,    // TCP and UDP
        tcp,
        pair,     // addresses, whatever they carry
        address,  // the source's
        ping
    };

    void configure(Args& args) override;
    void initialize(Environment& environment, Errors& errors) override;
    void push(unsigned port, Batch&& batch) override;
    void take_state(Element& old) override;

    // Of ICMPRewriter: the flow of which an error speaks.
    FlowTable::Found find(const FlowKey& key, std::uint8_t protocol) const;
    Kind kind() const { return kind_; }
    std::uint64_t failures() const { return failures_; }
    std::uint64_t size() const { return table_.size(); }
    std::uint64_t capacity() const { return table_.capacity(); }
    void print(Text& out) const;

  protected:
    explicit FlowRewriter(Kind kind) : kind_{kind} {}

  private:
    struct Seen;
    void read_input(const Arg& arg, Args& args, RewriteInput& input);
    bool read_outputs(std::string_view text, RewriteInput& input, unsigned count) const;
    bool read(Packet& packet, Seen& seen) const;
    std::uint16_t rewrite(Packet& packet, unsigned port, DropReason& reason);
    Flow* make_flow(const Seen& seen, RewriteInput& input, DropReason& reason);
    bool choose(const Seen& seen, RewritePattern& pattern, FlowKey& after);
    void apply(const Seen& seen, const FlowSide& side) const;
    void note(Flow& flow, unsigned side, const Seen& seen) const;
    std::uint64_t timeout_of(const Flow& flow) const;

    Kind kind_;
    OwnedArray<RewriteInput> inputs_;
    mutable FlowTable table_;
    std::uint32_t capacity_ = 8192;
    Duration tcp_timeout_{86'400'000'000'000}, tcp_done_timeout_{240'000'000'000}, tcp_nodata_timeout_{300'000'000'000};
    Duration udp_timeout_{300'000'000'000}, guarantee_{5'000'000'000};
    bool annotate_ = true;
    std::uint64_t failures_ = 0;
};

// IPRewriter - rewrites addresses and ports of TCP and UDP flows
//
//   IPRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are those of TCP and UDP. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR SPORT DADDR DPORT FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: IPRewriter(pattern 1.0.0.1 1024-65535 - - 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class IPRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    IPRewriter() : FlowRewriter{Kind::ports} {}
};

// TCPRewriter - rewrites addresses and ports of TCP flows
//
//   TCPRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are those of TCP. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR SPORT DADDR DPORT FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: TCPRewriter(pattern 1.0.0.1 1024-65535 - - 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class TCPRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    TCPRewriter() : FlowRewriter{Kind::tcp} {}
};

// UDPRewriter - rewrites addresses and ports of UDP and TCP flows
//
//   UDPRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are those of UDP and TCP, as for IPRewriter. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR SPORT DADDR DPORT FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: UDPRewriter(pattern 1.0.0.1 1024-65535 - - 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class UDPRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    UDPRewriter() : FlowRewriter{Kind::ports} {}
};

// IPAddrPairRewriter - rewrites addresses by pairs of them
//
//   IPAddrPairRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are pairs of addresses, whatever they carry: patterns are SADDR DADDR. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR DADDR FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: IPAddrPairRewriter(pattern 1.0.0.1 - 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class IPAddrPairRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    IPAddrPairRewriter() : FlowRewriter{Kind::pair} {}
};

// IPAddrRewriter - rewrites source addresses
//
//   IPAddrRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are source addresses, whatever they carry: patterns are SADDR alone. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: IPAddrRewriter(pattern 1.0.0.1-1.0.0.9 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class IPAddrRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    IPAddrRewriter() : FlowRewriter{Kind::address} {}
};

// ICMPPingRewriter - rewrites addresses and identifiers of pings
//
//   ICMPPingRewriter(INPUTSPEC, ... [, MAPPING_CAPACITY n, TCP_TIMEOUT t, TCP_DONE_TIMEOUT t, TCP_NODATA_TIMEOUT t, UDP_TIMEOUT t, GUARANTEE t, DST_ANNO bool])
//
// Flows are echo requests of one identifier and their replies: SPORT stands for the identifier, DPORT is `-`. One INPUTSPEC for each input says what becomes of packets that belong to no flow: `pattern SADDR SPORT DADDR DPORT FOUTPUT ROUTPUT` makes a flow whose packets are
// rewritten, those of the other direction back; `pattern NAME FOUTPUT ROUTPUT` takes a pattern of IPRewriterPatterns; `keep FOUTPUT ROUTPUT` makes one
// that changes nothing; `pass OUTPUT` (`nochange`) lets them through, `drop` drops them. `-` leaves a field as it is; SADDR may be a range or a prefix, SPORT a
// range L-H: the packet's own where that is free, or in sequence after `#`, or by chance after `?`. Everything that is no flow of this kind, and later
// fragments, are passed by `pass` alone. Flows end after their TIMEOUT, or where MAPPING_CAPACITY (default 8192) is reached and they were quiet for GUARANTEE
// (default 5s). Checksums follow. Expects a marked IP header. Flows live on over a graph swap that does not change the configuration.
// Ports: one or more push inputs, one or more push outputs.
// Drops: no-mapping, table-full, bad-header, policed.
// Handlers: count, drops, size, capacity, mapping_failures, table (read).
// Example: CheckIPHeader -> r :: ICMPPingRewriter(pattern 1.0.0.1 1024-65535 - - 0 1, drop); r[0] -> Discard; r[1] -> Discard; Idle -> [1]r;
class ICMPPingRewriter : public FlowRewriter {
  public:
    static const ElementClass class_row;
    ICMPPingRewriter() : FlowRewriter{Kind::ping} {}
};

// IPRewriterPatterns - gives names to patterns of rewriters
//
//   IPRewriterPatterns(NAME SADDR SPORT DADDR DPORT, ...)
//
// Rewriters may say `pattern NAME` then. Patterns of one name share nothing else.
// Example: IPRewriterPatterns(out 1.0.0.1 1024-65535 - -); Idle -> r :: IPRewriter(pattern out 0 0) -> Discard;
class IPRewriterPatterns : public Element {
  public:
    static const ElementClass class_row;

    void configure(Args& args) override;
    // The pattern's text; empty: none has that name.
    std::string_view find(std::string_view name) const;

  private:
    struct Row {
        std::string_view name, pattern;
    };
    OwnedArray<Row> rows_;
};

}  // namespace unibpf
