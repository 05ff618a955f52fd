#include "guest/control/boot.hpp"

#include <algorithm>

#include "guest/control/buffer.hpp"
#include "guest/control/trust/envelope.hpp"
#include "guest/core/cbor.hpp"

namespace unibpf {

namespace {

constexpr std::size_t max_element_name = 63;
constexpr std::size_t max_nic_name = 15;
constexpr std::size_t max_guest_name = 48;

Error boot_error(const char* text, std::uint64_t value = 0) { return Error{"boot", text, value}; }

template <std::size_t N>
Status copy_fixed(cbor::Reader& reader, std::array<std::uint8_t, N>& out) {
    const Bytes bytes = TRY(reader.bytes());
    if (bytes.size() != N) return boot_error("a byte string of the boot image has the wrong length", bytes.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return done();
}

Result<std::uint32_t> ipv4_address(cbor::Reader& reader) {
    std::array<std::uint8_t, 4> bytes{};
    TRY(copy_fixed(reader, bytes));
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

Result<std::string_view> text_up_to(cbor::Reader& reader, std::size_t longest) {
    const std::string_view text = TRY(reader.text());
    if (text.size() > longest) return boot_error("a text of the boot image is too long", text.size());
    return text;
}

Status expect_array(cbor::Reader& reader, std::uint64_t size) {
    const std::uint64_t count = TRY(reader.array());
    if (count != size) return boot_error("an array of the boot image has the wrong length", count);
    return done();
}

// Each row parser reads one item of its list.
Status read_row(cbor::Reader& reader, PinnedKey& key) {
    TRY(expect_array(reader, 3));
    TRY(copy_fixed(reader, key.kid));
    const std::int64_t algorithm = TRY(reader.nint());
    if (algorithm != static_cast<int>(Algorithm::eddsa) && algorithm != static_cast<int>(Algorithm::es256)) {
        return boot_error("a signer key has an unknown algorithm");
    }
    key.algorithm = static_cast<Algorithm>(algorithm);
    key.key = TRY(reader.bytes());
    const std::size_t expected = key.algorithm == Algorithm::eddsa ? 32 : 65;
    if (key.key.size() != expected) return boot_error("a signer key has the wrong length", key.key.size());
    return done();
}

Status read_row(cbor::Reader& reader, BootProgram& program) {
    TRY(expect_array(reader, 3));
    program.element = TRY(text_up_to(reader, max_element_name));
    program.envelope = TRY(reader.bytes());
    program.bundle = TRY(reader.bytes());
    return done();
}

Status read_row(cbor::Reader& reader, BootFloor& floor) {
    TRY(expect_array(reader, 2));
    floor.element = TRY(text_up_to(reader, max_element_name));
    floor.sequence = TRY(reader.uint());
    return done();
}

Status read_row(cbor::Reader& reader, BootNic& nic) {
    TRY(expect_array(reader, 2));
    nic.name = TRY(text_up_to(reader, max_nic_name));
    if (nic.name.empty()) return boot_error("a NIC of the boot image has no name");
    return copy_fixed(reader, nic.mac);
}

template <typename T, std::size_t N>
Status read_list(cbor::Reader& reader, FixedList<T, N>& list) {
    const std::uint64_t count = TRY(reader.array());
    if (count > N) return boot_error("a list of the boot image is too long", count);
    for (std::uint64_t i = 0; i < count; ++i) {
        T row;
        TRY(read_row(reader, row));
        list.push(row);
    }
    return done();
}

Status read_graph(cbor::Reader& reader, BootImage& image) {
    TRY(expect_array(reader, 2));
    image.graph_envelope = TRY(reader.bytes());
    image.graph = TRY(reader.bytes());
    return done();
}

Status read_management(cbor::Reader& reader, ManagementAddress& management) {
    const std::uint64_t count = TRY(reader.array());
    if (count != 3 && count != 4) return boot_error("the management address has the wrong number of fields", count);
    management.address = TRY(ipv4_address(reader));
    const std::uint64_t prefix = TRY(reader.uint());
    if (prefix > 32) return boot_error("the management prefix is longer than 32", prefix);
    management.prefix = static_cast<std::uint8_t>(prefix);
    const std::uint64_t port = TRY(reader.uint());
    if (port == 0 || port > 0xffff) return boot_error("the management port is no UDP port", port);
    management.port = static_cast<std::uint16_t>(port);
    if (count == 4) management.gateway = TRY(ipv4_address(reader));
    return done();
}

Result<std::uint64_t> scaled(cbor::Reader& reader, std::uint64_t factor) {
    const std::uint64_t value = TRY(reader.uint());
    if (value > UINT64_MAX / factor) return boot_error("a limit of the boot image is too large", value);
    return value * factor;
}

Status read_limits(cbor::Reader& reader, BootLimits& limits) {
    auto map = TRY(cbor::MapReader::open(reader));
    while (const auto key = TRY(map.next())) {
        switch (*key) {
            case 0: limits.instruction_budget = TRY(reader.uint()); break;
            case 1: limits.probation_ns = TRY(scaled(reader, 1'000'000)); break;
            case 2: limits.control_slice_ns = TRY(scaled(reader, 1'000)); break;
            default: return map.unknown(*key);
        }
    }
    return done();
}

Status read_field(Bytes bytes, cbor::Reader& reader, unsigned key, BootImage& image) {
    switch (key) {
        case 0: {
            const std::uint64_t version = TRY(reader.uint());
            if (version != 1) return boot_error("the boot image has an unknown version", version);
            return done();
        }
        case 1: image.guest = TRY(text_up_to(reader, max_guest_name)); return done();
        case 2: image.audience = TRY(text_up_to(reader, max_guest_name)); return done();
        case 3:
            TRY(copy_fixed(reader, image.seed));
            image.seed_in_image = bytes.subspan(reader.position() - image.seed.size(), image.seed.size());
            return done();
        case 4: return read_list(reader, image.keys);
        case 5: return read_graph(reader, image);
        case 6: return read_list(reader, image.programs);
        case 7: return read_list(reader, image.floors);
        case 8: return read_management(reader, image.management);
        case 9: return read_list(reader, image.nics);
        case 10: image.wall_clock_us = TRY(reader.uint()); return done();
        case 11: return read_limits(reader, image.limits);
        default: return boot_error("the boot image has an unknown key", key);
    }
}

// schemas/boot.cddl: [a-z0-9][a-z0-9-]{0,47}
bool is_guest_name(std::string_view name) {
    const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !name.empty() && alphanumeric(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '-'; });
}

// Two rows with one name or address would make it matter which is found first.
Status check_unique(const BootImage& image) {
    for (std::size_t i = 0; i < image.nics.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (image.nics[i].name == image.nics[k].name || image.nics[i].mac == image.nics[k].mac) {
                return boot_error("two NICs of the boot image have the same name or address", i);
            }
        }
    }
    for (std::size_t i = 0; i < image.floors.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            if (image.floors[i].element == image.floors[k].element) return boot_error("an element has two floors", i);
        }
    }
    return done();
}

}  // namespace

std::uint64_t BootImage::floor(std::string_view element) const {
    for (const BootFloor& row : floors) {
        if (row.element == element) return row.sequence;
    }
    return 0;
}

const BootNic* BootImage::nic(std::string_view name) const {
    for (const BootNic& row : nics) {
        if (row.name == name) return &row;
    }
    return nullptr;
}

Status parse_boot_image(Bytes bytes, BootImage& image) {
    if (bytes.size() > max_boot_image) return boot_error("the boot image is too large", bytes.size());
    cbor::Reader reader{bytes, "boot"};
    auto map = TRY(cbor::MapReader::open(reader));
    while (const auto key = TRY(map.next())) TRY(read_field(bytes, reader, *key, image));
    TRY(map.require(0xfff));
    TRY(reader.end());
    if (!is_guest_name(image.guest)) return boot_error("the guest id is not made as guest ids are", image.guest.size());
    if (image.keys.size() == 0) return boot_error("the boot image pins no signer key");
    return check_unique(image);
}

Result<BootGraph> verify_boot_graph(const BootImage& image, std::uint64_t now_us) {
    Buffer scratch;
    if (!scratch.reserve(max_envelope)) return Error{"memory", "there is no memory to check the graph"};
    const Trust trust{{image.keys.begin(), image.keys.size()}, image.audience, now_us / 1'000'000};
    Target target;
    target.exists = true;
    target.element = "*";
    target.kind = ReleaseKind::graph;
    target.floor = boot_floor(image, "");
    Judgement judgement;
    Steps untimed;
    TRY(judge(SignedBundle{image.graph_envelope, image.graph}, trust, target, scratch.room(), untimed, judgement));
    // Sound: char may alias the boot module's bytes.
    const std::string_view text{reinterpret_cast<const char*>(image.graph.data()), image.graph.size()};
    return BootGraph{text, judgement.release.program, judgement.release.sequence, judgement.digest};
}

}  // namespace unibpf
