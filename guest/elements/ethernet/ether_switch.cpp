#include "guest/elements/ethernet/ether_switch.hpp"

#include <cstring>
#include <utility>

#include "guest/bpf/maps/random.hpp"
#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {
    count_handler,
    drops_handler,
    {"table", [](const Element& e, Text& out) { static_cast<const EtherSwitch&>(e).print(out); }, nullptr},
    setting_handler<EtherSwitch, &EtherSwitch::timeout, &EtherSwitch::set_timeout>("timeout"),
};
}  // namespace

constinit const ElementClass EtherSwitch::class_row{
    "EtherSwitch", "-/-", "h/h", "[TIMEOUT]", "forwards Ethernet frames as a learning bridge does", handler_rows,
    reason_list<DropReason::too_short, DropReason::not_ours, DropReason::no_buffer>, create_element<EtherSwitch>};

void EtherSwitch::configure(Args& args) {
    args.optional("TIMEOUT", timeout_);
    if (inputs() != outputs() || inputs() == 0) args.error("got ", inputs(), " inputs and ", outputs(), " outputs, expected as many of each");
}

void EtherSwitch::initialize(Environment& environment, Errors& errors) {
    pool_ = environment.pool;
    random::prepare();
    stations_ = make_array<Station>(ways * sets);
    if (!stations_) errors.add(place(), "`", name(), "`: no memory for ", ways * sets, " addresses");
}

EtherSwitch::Station* EtherSwitch::set_of(const std::uint8_t* address) const {
    std::uint64_t key = 0;
    std::memcpy(&key, address, sizeof(EtherAddress));
    return &stations_[(random::hash(key) >> 56) % sets * ways];
}

void EtherSwitch::learn(const std::uint8_t* address, unsigned port) {
    Station* set = set_of(address);
    Station* place = set;
    for (std::size_t i = 0; i < ways; ++i) {
        if (set[i].used && std::memcmp(set[i].address.data(), address, sizeof(EtherAddress)) == 0) {
            place = &set[i];
            break;
        }
        if (!set[i].used || (place->used && set[i].heard_ns < place->heard_ns)) place = &set[i];
    }
    std::memcpy(place->address.data(), address, sizeof(EtherAddress));
    place->port = static_cast<std::uint16_t>(port);
    place->heard_ns = router().now();
    place->used = true;
}

std::uint16_t EtherSwitch::find(const std::uint8_t* address) const {
    const Station* set = set_of(address);
    for (std::size_t i = 0; i < ways; ++i) {
        if (!set[i].used || std::memcmp(set[i].address.data(), address, sizeof(EtherAddress)) != 0) continue;
        return timeout_.ns == 0 || router().now() - set[i].heard_ns <= timeout_.ns ? set[i].port : unknown;
    }
    return unknown;
}

void EtherSwitch::flood(Batch&& batch, unsigned from) {
    unsigned last = outputs();
    while (last-- > 0 && last == from) {}
    if (last >= outputs()) return drop(std::move(batch), DropReason::not_ours);
    for (unsigned port = 0; port < last; ++port) {
        if (port == from) continue;
        Batch copies;
        for (const Packet& packet : batch) {
            PacketPtr copy = pool_->copy(packet);
            if (copy) copies.push_back(std::move(copy));
            else count_drop(DropReason::no_buffer);
        }
        if (!copies.empty()) output(port).push(std::move(copies));
    }
    output(last).push(std::move(batch));
}

void EtherSwitch::push(unsigned port, Batch&& batch) {
    while (!batch.empty()) {
        PacketPtr packet = batch.pop_front();
        const auto frame = wire::view<wire::Ethernet>(packet->bytes());
        if (!frame) {
            drop(std::move(packet), DropReason::too_short);
            continue;
        }
        if ((frame.source()[0] & 1) == 0) learn(frame.source().data(), port);
        const std::uint16_t to = (frame.destination()[0] & 1) != 0 ? unknown : find(frame.destination().data());
        Batch one;
        one.push_back(std::move(packet));
        if (to == unknown) flood(std::move(one), port);
        else if (to == port) drop(std::move(one), DropReason::not_ours);
        else output(to).push(std::move(one));
    }
}

void EtherSwitch::print(Text& out) const {
    for (const Station& station : stations_.span()) {
        if (!station.used || find(station.address.data()) == unknown) continue;
        handler_values::put(out, station.address);
        out.put(' ').number(station.port).put('\n');
    }
}

void EtherSwitch::take_state(Element& old_element) {
    auto& old = static_cast<EtherSwitch&>(old_element);
    if (old.outputs() == outputs()) std::swap(stations_, old.stations_);
}

}  // namespace unibpf
