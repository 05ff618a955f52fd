#include "services/signer/native/verdict/certificate.hpp"

#include "services/signer/native/input/cbor.hpp"

namespace unibpf::certificate {
namespace {

constexpr std::uint64_t version = 1;

Place read_place(Cbor& in, const Certificate& certificate, const Program& program) {
    if (in.array() != 3) malformed("a place has other than three fields");
    if (certificate.chains.size() == 0) malformed("a place without a chain");
    Place place;
    place.chain = static_cast<std::uint32_t>(in.uint(certificate.chains.size() - 1));
    place.at = static_cast<std::uint32_t>(in.uint(program.insns.size() - 1));
    place.asks = in.uint(1) != 0;
    if (program.insns[place.at].op == Op::upper_half) malformed("a place inside a 64-bit load");
    return place;
}

std::uint32_t target(Cbor& in, std::size_t own, std::size_t count) {
    if (in.null()) return no_node;
    const std::int64_t to = in.integer() + static_cast<std::int64_t>(own);
    if (to < 0 || to >= static_cast<std::int64_t>(count)) malformed("an edge leads to no node");
    return static_cast<std::uint32_t>(to);
}

Node read_node(Cbor& in, const Certificate& certificate, const Program& program, std::size_t own, std::size_t count) {
    Node node;
    bool has_edges = false;
    in.each_key([&](unsigned key) {
        switch (key) {
            case 0: {
                has_edges = true;
                const std::size_t edges = in.array();
                if (edges > 2) malformed("a node has more than two edges");
                for (std::size_t i = 0; i < edges; ++i) node.edges[i] = target(in, own, count);
                break;
            }
            case 1: node.place = read_place(in, certificate, program); break;
            case 2:
                if (!node.place) malformed("a state without a place");
                node.state = read_state(in, certificate.chains, *node.place, program);
                break;
            case 3: node.loop_end = static_cast<std::uint32_t>(own + in.uint(count - own)); break;
            default: malformed("a node has a key that certificates do not have");
        }
    });
    if (!has_edges && own + 1 < count) node.edges[0] = static_cast<std::uint32_t>(own + 1);
    if (node.loop_end == own && node.loop_end != 0) malformed("a loop without a node");
    if (node.loop_end != 0 && !node.state) malformed("a loop without a state at its head");
    return node;
}

// Loops lie beside or inside each other, and only they are ways back.
void check_loops(const std::vector<Node>& nodes) {
    std::vector<std::uint32_t> ends;
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
        while (!ends.empty() && ends.back() <= i) ends.pop_back();
        if (nodes[i].loop_end != 0) {
            if (!ends.empty() && nodes[i].loop_end > ends.back()) malformed("a loop ends outside the loop that it is in");
            ends.push_back(nodes[i].loop_end);
        }
        for (const std::uint32_t to : nodes[i].edges) {
            if (to <= i && nodes[to].loop_end <= i) malformed("a way back to what is not the head of a loop around it");
        }
    }
}

}  // namespace

Certificate read_certificate(std::span<const std::uint8_t> bytes, const Program& program) {
    Cbor in{bytes};
    if (in.array() != 4) malformed("a certificate has other than four fields");
    if (in.uint() != version) malformed("a certificate of an unknown version");
    Certificate certificate;
    certificate.chains.read(in);
    const std::size_t roots = in.array();
    for (std::size_t i = 0; i < roots; ++i) certificate.roots.push_back(static_cast<std::uint32_t>(in.uint(UINT32_MAX)));
    const std::size_t count = in.array();
    certificate.nodes.reserve(count);
    for (std::size_t i = 0; i < count; ++i) certificate.nodes.push_back(read_node(in, certificate, program, i, count));
    if (!in.at_end()) malformed("bytes after the certificate");
    if (certificate.roots.size() != program.roots.size()) malformed("the certificate is about other starts than the program has");
    for (const std::uint32_t root : certificate.roots) {
        if (root >= count) malformed("a start leads to no node");
    }
    check_loops(certificate.nodes);
    return certificate;
}

}  // namespace unibpf::certificate
