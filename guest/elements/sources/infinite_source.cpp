#include "guest/elements/sources/infinite_source.hpp"

#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/sources/source_handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {sources::made_handler, sources::active_handler, sources::limit_handler, sources::data_handler,
                                    sources::reset_source_handler};
}  // namespace

constinit const ElementClass InfiniteSource::class_row{
    "InfiniteSource", "0/1", "/a", "[DATA] [, LIMIT, BURST, ACTIVE, LENGTH, DATASIZE, STOP, TIMESTAMP]", "makes packets as fast as it can", handler_rows, {}, create_element<InfiniteSource>};
constinit const ElementClass RandomSource::class_row{
    "RandomSource", "0/1", "/a", "LENGTH [, LIMIT, BURST, ACTIVE, STOP]", "makes packets of random bytes as fast as it can", handler_rows, {}, create_element<RandomSource>};

void InfiniteSource::configure(Args& args) {
    args.optional("DATA", data_);
    args.optional("LIMIT", limit_);
    args.optional("BURST", burst_);
    args.optional("ACTIVE", active_);
    configure_common(args);
    if (burst_ == 0) args.error("got BURST 0, expected at least 1");
}

bool InfiniteSource::run_task() {
    if (!active_) return false;
    if (exhausted()) return end_reached(), false;
    std::size_t left = burst_;
    while (left > 0) {
        Batch batch;
        const std::size_t made = make(batch, left);
        if (made == 0) break;
        left -= made;
        output(0).push(std::move(batch));
    }
    if (exhausted()) end_reached();
    return left < burst_;
}

void InfiniteSource::pull(unsigned, Batch& batch) {
    if (!active_) return;
    make(batch, Batch::most_packets);
    if (exhausted()) end_reached();
}

void RandomSource::configure(Args& args) {
    args.required("LENGTH", length_);
    args.optional("LIMIT", limit_);
    args.optional("BURST", burst_);
    args.optional("ACTIVE", active_);
    configure_common(args);
    if (burst_ == 0) args.error("got BURST 0, expected at least 1");
}

void RandomSource::fill(Packet& packet) const {
    for (std::size_t i = 0; i < packet.length(); ++i) packet.data()[i] = static_cast<std::uint8_t>(random::next_u32() >> 11);
}

}  // namespace unibpf
