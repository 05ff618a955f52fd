#include "guest/elements/standard.hpp"

#include "guest/elements/arp/arp_responder.hpp"
#include "guest/elements/bpf/bpf_classifier.hpp"
#include "guest/elements/bpf/bpf_filter.hpp"
#include "guest/elements/bpf/bpf_rewriter.hpp"
#include "guest/elements/ip/check_ip_header.hpp"
#include "guest/elements/sort/classifier.hpp"
#include "guest/elements/basic/counter.hpp"
#include "guest/elements/basic/discard.hpp"
#include "guest/elements/ethernet/ether_encap.hpp"
#include "guest/elements/ethernet/ether_mirror.hpp"
#include "guest/elements/device/from_device.hpp"
#include "guest/elements/icmp/icmp_ping_responder.hpp"
#include "guest/elements/basic/null.hpp"
#include "guest/elements/basic/paint.hpp"
#include "guest/elements/debug/print.hpp"
#include "guest/elements/queue/queue.hpp"
#include "guest/elements/basic/strip.hpp"
#include "guest/elements/basic/tee.hpp"
#include "guest/elements/device/to_device.hpp"
#include "guest/elements/queue/unqueue.hpp"

namespace unibpf {

namespace {

constexpr const ElementClass* kRows[] = {
    &ARPResponder::kClass,  &BPFClassifier::kClass, &BPFFilter::kClass,         &BPFRewriter::kClass,  &CheckIPHeader::kClass,
    &CheckPaint::kClass,    &Classifier::kClass,    &Counter::kClass,           &Discard::kClass,      &EtherEncap::kClass,
    &EtherMirror::kClass,   &EtherRewrite::kClass,  &FromDevice::kClass,        &ICMPPingResponder::kClass, &Idle::kClass,
    &Null::kClass,          &Paint::kClass,         &Print::kClass,             &Queue::kClass,        &Strip::kClass,
    &Tee::kClass,           &ToDevice::kClass,      &Unqueue::kClass,           &Unstrip::kClass,
};

}  // namespace

std::span<const ElementClass* const> standard_elements() { return kRows; }

}  // namespace unibpf
