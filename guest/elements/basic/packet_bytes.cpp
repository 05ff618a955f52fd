#include "guest/elements/basic/packet_bytes.hpp"

#include <algorithm>
#include <cstring>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr Handler count_rows[] = {count_handler};
constexpr Handler length_rows[] = {count_handler, drops_handler, setting_handler<CheckLength, &CheckLength::longest, &CheckLength::set_longest>("length")};
}  // namespace

constinit const ElementClass StripToNetworkHeader::class_row{"StripToNetworkHeader", "1/1", "a/a", "", "takes off all that is before the network header", handler_rows, reason_list<DropReason::bad_header>, create_element<StripToNetworkHeader>};
constinit const ElementClass Truncate::class_row{"Truncate", "1/1", "a/a", "LENGTH [, EXTRA_ANNO]", "cuts packets to a length", count_rows, {}, create_element<Truncate>};
constinit const ElementClass Pad::class_row{"Pad", "1/1", "a/a", "[LENGTH] [, ZERO]", "makes packets longer", handler_rows, reason_list<DropReason::no_headroom>, create_element<Pad>};
constinit const ElementClass CheckLength::class_row{"CheckLength", "1/1-2", "a/ah", "LENGTH [, EXTRA_LENGTH]", "sorts out long packets", length_rows, reason_list<DropReason::too_long>, create_element<CheckLength>};
constinit const ElementClass StoreData::class_row{"StoreData", "1/1", "a/a", "OFFSET, DATA [, MASK, GROW]", "writes bytes into packets", handler_rows, reason_list<DropReason::no_headroom>, create_element<StoreData>};
constinit const ElementClass SetTimestamp::class_row{"SetTimestamp", "1/1", "a/a", "[T]", "gives packets the time as their timestamp", count_rows, {}, create_element<SetTimestamp>};
constinit const ElementClass Align::class_row{"Align", "1/1", "a/a", "MODULUS, OFFSET", "keeps packets as they are", count_rows, {}, create_element<Align>};

void StripToNetworkHeader::process(Batch& batch) {
    auto strip = [](Packet& packet) {
        const std::span<const std::uint8_t> network = packet.network();
        return !network.empty() && packet.pull(static_cast<std::uint16_t>(network.data() - packet.data()));
    };
    keep(batch, strip, DropReason::bad_header);
}

void Truncate::configure(Args& args) {
    args.required("LENGTH", length_);
    args.optional("EXTRA_ANNO", annotate_);
}

void Truncate::process(Batch& batch) {
    for (Packet& packet : batch) {
        if (packet.length() <= length_) continue;
        const auto beyond = static_cast<std::uint16_t>(packet.length() - length_);
        packet.trim(beyond);
        if (annotate_) packet.extra_length += beyond;
    }
}

void Pad::configure(Args& args) {
    args.optional("LENGTH", length_);
    args.optional("ZERO", zero_);
    if (length_ > Packet::longest_fresh) args.error("got LENGTH ", length_, ", expected at most ", std::uint32_t{Packet::longest_fresh});
}

bool Pad::pad(Packet& packet) const {
    const std::uint32_t wanted = length_ > 0 ? length_ : packet.length() + packet.extra_length;
    if (length_ == 0) packet.extra_length = 0;
    if (wanted <= packet.length()) return true;
    const std::uint32_t more = wanted - packet.length();
    std::uint8_t* end = packet.end();
    if (more > packet.tailroom() || !packet.put(static_cast<std::uint16_t>(more))) return false;
    if (zero_) std::memset(end, 0, more);
    return true;
}

void Pad::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return pad(packet); }, DropReason::no_headroom);
}

void CheckLength::configure(Args& args) {
    args.required("LENGTH", length_);
    args.optional("EXTRA_LENGTH", extra_);
}

void CheckLength::process(Batch& batch) {
    split(batch, [this](const Packet& packet) { return packet.length() + (extra_ ? packet.extra_length : 0) <= length_; }, DropReason::too_long);
}

void StoreData::configure(Args& args) {
    args.required("OFFSET", offset_);
    args.required("DATA", data_);
    args.optional("MASK", mask_);
    args.optional("GROW", grow_);
    if (offset_ > Packet::slot_bytes) args.error("got OFFSET ", offset_, ", expected at most ", std::uint32_t{Packet::slot_bytes});
}

bool StoreData::store(Packet& packet) const {
    const std::size_t wanted = offset_ + data_.size();
    if (grow_ && wanted > packet.length()) {
        const std::size_t more = wanted - packet.length();
        std::uint8_t* end = packet.end();
        if (more > packet.tailroom() || !packet.put(static_cast<std::uint16_t>(more))) return false;
        std::memset(end, 0, more);
    }
    if (packet.length() <= offset_) return true;
    const std::size_t bytes = std::min<std::size_t>(data_.size(), packet.length() - offset_);
    std::uint8_t* at = packet.data() + offset_;
    for (std::size_t i = 0; i < bytes; ++i) {
        const auto mask = static_cast<std::uint8_t>(mask_.empty() ? 0xff : i < mask_.size() ? mask_[i]
                                                                                            : 0);
        at[i] = static_cast<std::uint8_t>((at[i] & ~mask) | (static_cast<std::uint8_t>(data_[i]) & mask));
    }
    return true;
}

void StoreData::process(Batch& batch) {
    keep(batch, [this](Packet& packet) { return store(packet); }, DropReason::no_headroom);
}

void SetTimestamp::configure(Args& args) { given_ = args.optional("T", time_); }

void SetTimestamp::process(Batch& batch) {
    const std::uint64_t time = given_ ? time_.ns : router().now();
    for (Packet& packet : batch) packet.arrival_ns = time;
}

void Align::configure(Args& args) {
    std::uint32_t ignored = 0;
    args.required("MODULUS", ignored);
    args.required("OFFSET", ignored);
}

}  // namespace unibpf
