#include <doctest/doctest.h>

#include "guest/platform/command_line.hpp"

using namespace unibpf::platform;

TEST_CASE("an option is a whole word with its value") {
    CHECK(option("a=1 tsc_khz=2400000  b=2", "tsc_khz") == "2400000");
    CHECK(option("not_tsc_khz=5", "tsc_khz").empty());
    CHECK(option("tsc_khz", "tsc_khz").empty());
    CHECK(option("tsc_khz_more=5", "tsc_khz").empty());
    CHECK(option("", "x").empty());
}

TEST_CASE("numbers are decimal or hexadecimal and end at the first other character") {
    CHECK(number("123:4") == 123);
    CHECK(number("0xfeb00e00:12") == 0xfeb00e00);
    CHECK(number("") == 0);
    CHECK(number("x") == 0);
    CHECK(number("12a") == 12);
}

TEST_CASE("devices are read as QEMU's microvm writes them") {
    std::string_view line = "quiet virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=512@0xfeb00c00:11";
    const auto first = next_mmio_device(line), second = next_mmio_device(line);
    REQUIRE((first && second));
    CHECK(first->address == 0xfeb00e00);
    CHECK(first->interrupt == 12u);
    CHECK(second->address == 0xfeb00c00);
    CHECK_FALSE(next_mmio_device(line));
}

TEST_CASE("a device word with a defect ends the list") {
    for (std::string_view line : {"virtio_mmio.device=512", "virtio_mmio.device=512@", "virtio_mmio.device=512@0x3",
                                  "virtio_mmio.device=512@0x1feb00e00:12", "virtio_mmio.device=512@0:1"})
        CHECK_FALSE(next_mmio_device(line));
    std::string_view without = "virtio_mmio.device=512@0xfeb00000";
    CHECK_FALSE(next_mmio_device(without)->interrupt);
}
