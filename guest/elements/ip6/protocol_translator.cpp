#include "guest/elements/ip6/protocol_translator.hpp"

#include <algorithm>

#include "guest/elements/handlers.hpp"

namespace unibpf {

namespace {
constexpr Handler handler_rows[] = {count_handler, drops_handler};
}  // namespace

constinit const ElementClass ProtocolTranslator46::class_row{
    "ProtocolTranslator46", "1/1-2", "a/ah", "[PREFIX]", "turns IPv4 packets into IPv6 ones", handler_rows, reason_list<DropReason::no_mapping>, create_element<ProtocolTranslator46>};
constinit const ElementClass ProtocolTranslator64::class_row{
    "ProtocolTranslator64", "1/1-2", "a/ah", "[PREFIX]", "turns IPv6 packets into IPv4 ones", handler_rows, reason_list<DropReason::no_mapping>, create_element<ProtocolTranslator64>};

void ProtocolTranslator::configure(Args& args) {
    Ip6Prefix prefix;
    if (!args.optional("PREFIX", prefix)) return;
    if (prefix.length != 96) args.error("got a PREFIX of ", prefix.length, " bits, expected 96");
    std::copy_n(prefix.address.begin(), prefix_.size(), prefix_.begin());
}

void ProtocolTranslator::process(Batch& batch) {
    split(batch, [this](Packet& packet) { return translate_(packet, prefix_); }, DropReason::no_mapping);
}

}  // namespace unibpf
