#include "guest/elements/standard.hpp"

#include "guest/elements/arp_responder.hpp"
#include "guest/elements/bpf_classifier.hpp"
#include "guest/elements/bpf_filter.hpp"
#include "guest/elements/bpf_rewriter.hpp"
#include "guest/elements/check_ip_header.hpp"
#include "guest/elements/classifier.hpp"
#include "guest/elements/counter.hpp"
#include "guest/elements/discard.hpp"
#include "guest/elements/ether_encap.hpp"
#include "guest/elements/ether_mirror.hpp"
#include "guest/elements/from_device.hpp"
#include "guest/elements/icmp_ping_responder.hpp"
#include "guest/elements/null.hpp"
#include "guest/elements/paint.hpp"
#include "guest/elements/print.hpp"
#include "guest/elements/queue.hpp"
#include "guest/elements/strip.hpp"
#include "guest/elements/tee.hpp"
#include "guest/elements/to_device.hpp"
#include "guest/elements/unqueue.hpp"

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
