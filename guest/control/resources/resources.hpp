// The resources of the control channel, one row of a table each (design 6), behind the CoAP server.
//
// A request goes: path and method (table) · formats · MAC and counter where the row demands one · handler · answer, MACed if the
// request was. What changes or reads what runs needs a MAC; staging needs the signature only.
// Invariant: a handler writes its answer last, and an error before that changes nothing but counters.
#pragma once

#include <array>
#include <cstdint>

#include "guest/control/coap/resource.hpp"
#include "guest/control/parts.hpp"
#include "guest/control/trust/mac.hpp"
#include "guest/control/update/updater.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

class ControlResources final : public coap::Resources {
  public:
    // The clocks are handed in: monotonic nanoseconds and Unix microseconds.
    struct Clocks {
        std::uint64_t (*monotonic_ns)();
        std::uint64_t (*wall_us)();
    };
    ControlResources(const ControlParts& parts, Updater& updater, const Steps& boot_steps, const Clocks& clocks,
                     const MacKeys& keys);

    coap::Response respond(const coap::Request& request, std::span<std::uint8_t> buffer) override;
    coap::Response refuse(const Error& error, std::span<std::uint8_t> buffer) override;
    std::size_t body_limit(coap::Code method, const coap::RequestOptions& options) const override;
    std::uint64_t voucher(coap::Code method, const coap::RequestOptions& options, Bytes first_block) const override;

  private:
    enum class Authentication : std::uint8_t {
        none,
        optional,
        required
    };

    // One request on its way through a handler.
    struct Call {
        const coap::Request* request = nullptr;
        Bytes body;                // unwrapped
        std::string_view element;  // where the path names one
        std::string_view map;
        Steps steps;
        bool keyed = false;  // it came with a MAC
    };
    using Handler = Status (ControlResources::*)(Call& call, cbor::Writer& writer);

    struct Row {
        std::array<std::string_view, 4> segments;  // "*" stands for any one segment
        coap::Code method;
        Authentication authentication;
        std::size_t body_limit;
        coap::Code success;
        std::uint16_t format;
        Handler handler;
    };
    static const std::array<Row, 11> rows;
    static bool matches(const Row& row, const coap::RequestOptions& options);
    static Result<const Row*> find(coap::Code method, const coap::RequestOptions& options);

    // What an answer needs besides its body: the MAC to make, if the request had one.
    struct Seal {
        bool wanted = false;
        MacContext context;
        MacRequest request;
    };

    Status serve(const coap::Request& request, std::span<std::uint8_t> room, Seal& seal, coap::Response& response);
    Status unwrap(const Row& row, const coap::Request& request, Seal& seal, Bytes& body);
    coap::Response finish(const Seal& seal, coap::Response response, std::span<std::uint8_t> buffer);
    coap::Response problem(const Error& error, std::span<std::uint8_t> room);

    Status well_known(Call& call, cbor::Writer& writer);
    Status status(Call& call, cbor::Writer& writer);
    Status stage(Call& call, cbor::Writer& writer);
    Status activate(Call& call, cbor::Writer& writer);
    Status program(Call& call, cbor::Writer& writer);
    Status roll_back(Call& call, cbor::Writer& writer);
    Status dump(Call& call, cbor::Writer& writer);
    Status change(Call& call, cbor::Writer& writer);
    Status read(Call& call, cbor::Writer& writer);
    Status write(Call& call, cbor::Writer& writer);
    Status graph(Call& call, cbor::Writer& writer);

    Result<ProgramSlot*> slot_of(const Call& call) const;
    std::uint64_t now_s() const { return clocks_.wall_us() / 1'000'000; }

    const ControlParts& parts_;
    Updater& updater_;
    const Steps& boot_steps_;
    Clocks clocks_;
    const MacKeys& keys_;
    CounterGate gate_;
};

// A representation is made in a buffer of this size; a map value of 64 KiB must fit.
inline constexpr std::size_t answer_buffer_bytes = 80 * 1024;

}  // namespace unibpf
