#include "guest/elements/ip/forward/ip_combo.hpp"

#include <utility>

#include "guest/elements/handlers.hpp"
#include "guest/graph/router.hpp"
#include "guest/wire/ethernet.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
constexpr unsigned redirect_port = 1, options_port = 2, expired_port = 3, too_long_port = 4;
}  // namespace

constinit const ElementClass IPInputCombo::class_row{
    "IPInputCombo", "1/1-2", "a/ah", "COLOR [, INTERFACES, BADSRC, GOODDST, CHECKSUM]", "what a router does with each packet that comes in, in one",
    handler_rows, reason_list<DropReason::too_short, DropReason::bad_header, DropReason::bad_checksum, DropReason::bad_source>, create_element<IPInputCombo>};
constinit const ElementClass IPOutputCombo::class_row{
    "IPOutputCombo", "1/1-5", "h/h", "COLOR, MYADDR, MTU", "what a router does with each packet that goes out, in one", handler_rows,
    reason_list<DropReason::broadcast, DropReason::bad_header, DropReason::expired, DropReason::too_long, DropReason::no_buffer>, create_element<IPOutputCombo>, true};

void IPInputCombo::configure(Args& args) {
    args.required("COLOR", color_);
    configure_sources(args);
}

void IPInputCombo::process(Batch& batch) {
    for (Packet& packet : batch) packet.paint = color_;
    keep(batch, [](Packet& packet) { return packet.pull(wire::Ethernet<std::uint8_t>::header_bytes); }, DropReason::too_short);
    pass_good(batch);
}

void IPOutputCombo::configure(Args& args) {
    args.required("COLOR", color_);
    IpAddress address{};
    std::uint32_t mtu = 0;
    if (args.required("MYADDR", address)) own_.list[own_.count++] = wire::load32(address.data());
    if (args.required("MTU", mtu)) configure_mtu(args, mtu, true);
}

void IPOutputCombo::initialize(Environment& environment, Errors& errors) {
    IPFragmenter::initialize(environment, errors);
    pool_ = environment.pool;
}

void IPOutputCombo::leave(PacketPtr packet, unsigned port, DropReason reason) {
    Batch batch;
    batch.push_back(std::move(packet));
    push_or_drop(port, std::move(batch), reason);
}

void IPOutputCombo::forward(PacketPtr packet, Outflow& out) {
    if (packet->type == static_cast<std::uint8_t>(PacketType::broadcast) || packet->type == static_cast<std::uint8_t>(PacketType::multicast))
        return drop(std::move(packet), DropReason::broadcast);
    const auto ip = wire::view<wire::Ipv4>(packet->network());
    if (!ip) return drop(std::move(packet), DropReason::bad_header);
    if (packet->paint == color_ && outputs() > redirect_port && output(redirect_port).connected()) {
        if (PacketPtr copy = pool_->copy(*packet)) leave(std::move(copy), redirect_port, DropReason::no_buffer);
        else count_drop(DropReason::no_buffer);
    }
    if (ip.header_bytes() > ip_hop::Ip::least_header_bytes && (packet->parameter = ip_hop::fill_options(ip, own_, router().now())) != 0)
        return leave(std::move(packet), options_port, DropReason::bad_header);
    if (std::exchange(packet->fix_source, false)) {
        ip.set_source(own_.list[0]);
        ip.set_checksum();
    }
    if (!ip_hop::take_ttl(ip)) return leave(std::move(packet), expired_port, DropReason::expired);
    send(std::move(packet), out, too_long_port);
}

void IPOutputCombo::push(unsigned, Batch&& batch) {
    Outflow out{*this, 0};
    while (!batch.empty()) forward(batch.pop_front(), out);
}

}  // namespace unibpf
