// What a generated program is wrapped in, and the packets that it is run on.
#include <set>

#include "guest/core/cbor.hpp"
#include "tests/soundness/generator.hpp"

namespace unibpf::soundness {

Bytes ProgramGenerator::bundle(const std::vector<Instruction>& code) {
    Bytes out(code.size() * 8 + 4096);
    cbor::Writer writer{out};
    std::set<std::uint32_t> helpers;
    for (const Instruction& in : code) {
        if (find_operation(in) == Operation::op_call_helper) helpers.insert(static_cast<std::uint32_t>(in.imm));
    }
    writer.map(10);
    writer.uint(0), writer.uint(1);
    writer.uint(1), writer.text("random");
    writer.uint(2), writer.uint(static_cast<unsigned>(abi::Kind::rewriter));
    // byte view of trivially copyable slots
    writer.uint(3), writer.bytes({reinterpret_cast<const std::uint8_t*>(code.data()), code.size() * sizeof(Instruction)});
    writer.uint(4), writer.array(3);
    const auto map = [&](const char* name, unsigned type, unsigned key, unsigned value, unsigned entries) {
        writer.map(6);
        writer.uint(0), writer.text(name);
        writer.uint(1), writer.uint(type);
        writer.uint(2), writer.uint(key);
        writer.uint(3), writer.uint(value);
        writer.uint(4), writer.uint(entries);
        writer.uint(5), writer.uint(0);
    };
    map("hash", 1, 4, 16, 4);
    map("array", 2, 4, 64, 4);
    map("ring", 27, 0, 0, 4096);
    writer.uint(5), writer.array(helpers.size());
    for (const std::uint32_t number : helpers) writer.uint(number);
    writer.uint(6), writer.uint(1);
    writer.uint(7), writer.uint(512);
    writer.uint(8), writer.array(2), writer.array(0), writer.array(0);
    writer.uint(9), writer.uint(1);
    out.resize(writer.size());
    return out;
}

Bytes ProgramGenerator::packet() {
    static constexpr std::uint64_t sizes[] = {14, 15, 20, 34, 42, 54, 60, 64, 128, 1500};
    Bytes bytes(chance(70) ? 14 + below(90) : sizes[below(std::size(sizes))]);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(chance(30) ? below(3) * 127 : random_());
    return bytes;
}

}  // namespace unibpf::soundness
