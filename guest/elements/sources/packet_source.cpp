#include "guest/elements/sources/packet_source.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
constexpr std::string_view default_data = "What a packet holds whose maker did not say what to put in is this...";
static_assert(default_data.size() == 69);
}  // namespace

// Keywords that all sources know; the positional ones are each source's own.
void PacketSource::configure_common(Args& args) {
    if (!data_.data()) data_ = default_data;
    args.keyword("LENGTH", length_);
    args.keyword("DATASIZE", length_);
    args.keyword("STOP", stop_);
    args.keyword("TIMESTAMP", timestamp_);
    if (packet_length() > Packet::longest_fresh) args.error("got packets of ", packet_length(), " bytes, expected at most ", Packet::longest_fresh);
}

void PacketSource::initialize(Environment& environment, Errors&) {
    pool_ = environment.pool;
    run_ = environment.run;
}

bool PacketSource::set_data(std::string_view data) {
    if (data.size() > sizeof own_data_) return false;
    std::memcpy(own_data_, data.data(), data.size());
    data_ = {own_data_, data.size()};
    return true;
}

void PacketSource::reset() {
    made_ = 0;
    ended_ = false;
    reset_counters();
}

void PacketSource::end_reached() {
    if (std::exchange(ended_, true) || !stop_ || !run_) return;
    run_->stop(*this);
}

void PacketSource::fill(Packet& packet) const {
    const std::size_t given = std::min<std::size_t>(packet.length(), data_.size());
    std::memcpy(packet.data(), data_.data(), given);
    std::memset(packet.data() + given, 0, packet.length() - given);
}

std::size_t PacketSource::make(Batch& batch, std::size_t most) {
    std::size_t count = 0;
    while (count < most && !batch.full() && !exhausted() && pool_) {
        PacketPtr packet = pool_->acquire();
        if (!packet) break;
        packet->put(static_cast<std::uint16_t>(packet_length()));
        fill(*packet);
        if (timestamp_) packet->arrival_ns = router().now();
        batch.push_back(std::move(packet));
        ++made_;
        ++count;
    }
    count_packets(count);
    return count;
}

}  // namespace unibpf
