// A graph through which any frame goes, past every element that reads packets, and what must hold after it: each frame was
// sent or is counted as a drop. Used with random frames by a test and with chosen ones by a fuzzer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/fake_nic.hpp"

namespace unibpf::test {

inline constexpr std::string_view every_reader = R"(
elementclass Icmp { input -> r :: ICMPPingResponder -> EtherMirror -> output; r[1] -> [1]output }
FromDevice(eth0) -> sort :: Classifier(12/0806 20/0001, 12/0800 !14/6?, 12/0800, 0/01%01, -);
out :: ToDevice(eth1);
sort[0] -> arp :: ARPResponder(10.0.0.0/8 eth0) -> out;   arp[1] -> out;
elementclass Forward {
  input -> o :: IPGWOptions(10.0.0.1) -> IPMirror -> d :: DecIPTTL -> SetIPECN(1) -> c :: IPClassifier(tcp port 80 or udp, icmp type echo, ip frag or tcp opt syn, -);
  o[1] -> ICMPError(10.0.0.1, parameterproblem) -> output;   d[1] -> ICMPError(10.0.0.1, timeexceeded) -> output;
  c[0] -> nat :: IPRewriter(pattern 1.0.0.1 - - - 0 0, MAPPING_CAPACITY 50) -> output;   c[1] -> ICMPPingRewriter(pattern 1.0.0.1 - - - 0 0, MAPPING_CAPACITY 50) -> output;
  c[2] -> IPAddrPairRewriter(pattern 1.0.0.1 - 0 0, MAPPING_CAPACITY 50) -> i :: ICMPRewriter(nat) -> output;   i[1] -> output;
  c[3] -> g :: GREUnencap -> StripToNetworkHeader -> output;   g[1] -> r :: RadixIPLookup(0.0.0.0/0 0) -> output;
}
sort[1] -> HostEtherFilter(eth0, DROP_OTHER false) -> ip :: CheckIPHeader(14, BADSRC 255.255.255.255) -> icmp :: Icmp -> forward :: Forward -> out;   icmp[1] -> forward;
sort[2] -> Strip(14) -> CheckIPHeader(CHECKSUM false) -> Icmp2 :: ICMPPingResponder -> Unstrip(14) -> out;
sort[3] -> StripEtherVLANHeader -> EnsureEther -> EtherRewrite(2:0:0:0:0:1, 2:0:0:0:0:2) -> Print(x) -> Queue(40) -> Paint(3) -> Unqueue -> out;
sort[4] -> EtherEncap(0x0800, 2:0:0:0:0:1, 2:0:0:0:0:2) -> CheckIPHeader(OFFSET 14) -> c :: CheckPaint(1) -> out;   c[1] -> out;
)";

class PacketSink {
  public:
    PacketSink() {
        registry_.add(standard_elements());
        environment_.nics = nics_;
        environment_.pool = &PacketPool::system();
        environment_.print = [](std::string_view) {};
        Errors errors;
        router_ = Router::create(every_reader, registry_, environment_, errors);
        fault_ = errors.empty() ? "" : std::string{errors[0].text()};
    }

    const std::string& fault() const { return fault_; }
    void put(Frame frame) {
        eth0_.arriving.push_back(std::move(frame));
        ++put_;
    }
    // Everything that was put in has been sent or dropped, and nothing but that.
    bool adds_up() {
        for (std::uint64_t round = 1; round < 1000 && router_->run_once(round); ++round) {}
        std::uint64_t sum = eth1_.sent.size();
        for (const Element* element : router_->elements())
            for (std::uint64_t count : element->drops()) sum += count;
        return sum == put_;
    }
    std::size_t sent() const { return eth1_.sent.size(); }

  private:
    FakeNic eth0_{"eth0", 0, PacketPool::system()}, eth1_{"eth1", 1, PacketPool::system()};
    Nic* nics_[2] = {&eth0_, &eth1_};
    Registry registry_;
    Environment environment_;
    Owned<Router> router_;
    std::string fault_;
    std::uint64_t put_ = 0;
};

}  // namespace unibpf::test
