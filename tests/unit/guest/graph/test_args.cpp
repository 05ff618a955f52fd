#include <doctest/doctest.h>

#include <vector>

#include "guest/graph/config.hpp"

namespace unibpf::test {
namespace {

// A configuration string cut into arguments, as the router does for `configure`.
struct Configuration {
    explicit Configuration(std::string_view text) : source{text, arena} {
        BuildContext context{source, arena, arena, errors};
        for (std::string_view argument : split_config(text, arena)) all.push_back(make_arg(argument, text.data(), context));
    }
    Args args() { return Args{all, "x", {}, errors}; }

    Arena arena;
    Source source;
    Errors errors;
    std::vector<Arg> all;
};

template <typename T>
bool reads(std::string_view word, T& value) {
    return read_word(word, value);
}

}  // namespace

TEST_CASE("a configuration string is cut at commas outside quotes, comments and brackets") {
    Arena arena;
    std::vector<std::string_view> parts;
    for (std::string_view part : split_config(R"( a, "b,c" , (d, e) [f,g], h /* , */ i, , 'j,' )", arena)) parts.push_back(part);
    REQUIRE(parts.size() == 6);
    CHECK(parts[0] == "a");
    CHECK(parts[1] == "\"b,c\"");
    CHECK(parts[2] == "(d, e) [f,g]");
    CHECK(unquote(parts[3], arena) == "h i");
    CHECK(parts[4] == "");
    CHECK(unquote(parts[5], arena) == "j,");
    CHECK(split_config("  // nothing", arena).size() == 0);
    CHECK(split_config("a,", arena).size() == 1);
}

TEST_CASE("quotes are taken away and escapes of double quotes replaced") {
    Arena arena;
    CHECK(unquote("plain", arena) == "plain");
    CHECK(unquote(R"("a\"b\n")", arena) == "a\"b\n");
    CHECK(unquote(R"('a\"b')", arena) == "a\\\"b");
    CHECK(unquote("\"open", arena) == "open");
    CHECK(unquote("a   b\tc", arena) == "a b c");
}

TEST_CASE("an argument is a keyword's when it starts with capitals and a blank") {
    CHECK(leading_keyword("PROGRAM firewall") == "PROGRAM");
    CHECK(leading_keyword("PROGRAM") == "");
    CHECK(leading_keyword("Program x") == "");
    CHECK(leading_keyword("12 x") == "");
    CHECK(leading_keyword("\"PROGRAM x\"") == "");
}

TEST_CASE("addresses and numbers are read whole or not at all") {
    std::uint32_t number = 7;
    CHECK(reads("4294967295", number));
    CHECK(number == 4294967295u);
    CHECK(reads("0x10", number));
    CHECK(number == 16);
    for (const char* bad : {"4294967296", "", "-1", "0x", "1 ", "12a"}) CHECK(!reads(bad, number));
    CHECK(number == 16);

    IpAddress ip{};
    CHECK(reads("10.0.255.1", ip));
    CHECK(ip == IpAddress{10, 0, 255, 1});
    for (const char* bad : {"10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.", ".0.0.1", "10.0.0.0001"}) CHECK(!reads(bad, ip));

    IpPrefix prefix;
    CHECK(reads("10.1.0.0/12", prefix));
    CHECK(prefix.mask == IpAddress{255, 240, 0, 0});
    CHECK(reads("10.1.0.0/255.0.0.0", prefix));
    CHECK(prefix.mask == IpAddress{255, 0, 0, 0});
    CHECK(reads("0.0.0.0/0", prefix));
    CHECK(prefix.mask == IpAddress{0, 0, 0, 0});
    CHECK(reads("1.2.3.4", prefix));
    CHECK(prefix.mask == IpAddress{255, 255, 255, 255});
    for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "/8"}) CHECK(!reads(bad, prefix));

    EtherAddress ether{};
    CHECK(reads("52:54:0:aB:cd:1", ether));
    CHECK(ether == EtherAddress{0x52, 0x54, 0, 0xab, 0xcd, 1});
    for (const char* bad : {"52:54:00:ab:cd", "52:54:00:ab:cd:ef:01", "100:0:0:0:0:0"}) CHECK(!reads(bad, ether));
}

TEST_CASE("numbers of every width are read whole or not at all, in three bases") {
    std::uint8_t byte = 1;
    CHECK(reads("0xff", byte));
    CHECK(byte == 255);
    CHECK(reads("017", byte));
    CHECK(byte == 15);
    for (const char* bad : {"256", "-1", "08", "0x", "1.0", ""}) CHECK(!reads(bad, byte));
    std::int32_t number = 0;
    CHECK(reads("-2147483648", number));
    CHECK(number == INT32_MIN);
    for (const char* bad : {"-2147483649", "2147483648", "--1", "-"}) CHECK(!reads(bad, number));
    std::uint64_t large = 0;
    CHECK(reads("18446744073709551615", large));
    CHECK(large == UINT64_MAX);
    CHECK(!reads("18446744073709551616", large));
    double fraction = 0;
    CHECK(reads("-1.25e2", fraction));
    CHECK(fraction == -125);
    for (const char* bad : {".", "1e", "1e999", "1x", "nan"}) CHECK(!reads(bad, fraction));
}

TEST_CASE("times and bandwidths have units") {
    Duration time;
    const std::pair<const char*, std::uint64_t> times[] = {{"2", 2'000'000'000}, {"1.5s", 1'500'000'000}, {"20ms", 20'000'000}, {"3us", 3'000}, {"7ns", 7}, {"2min", 120'000'000'000}, {".25", 250'000'000}, {"1h", 3'600'000'000'000}};
    for (const auto& [text, ns] : times) {
        CAPTURE(text);
        CHECK(reads(text, time));
        CHECK(time.ns == ns);
    }
    for (const char* bad : {"", "s", "1 x", "-1", "99999999999999999"}) CHECK(!reads(bad, time));
    Bandwidth bandwidth;
    const std::pair<const char*, std::uint64_t> bandwidths[] = {{"1000", 1000}, {"8kbps", 1000}, {"1MBps", 1'000'000}, {"1.5Mbps", 187'500}, {"2Gbps", 250'000'000}};
    for (const auto& [text, bytes] : bandwidths) {
        CAPTURE(text);
        CHECK(reads(text, bandwidth));
        CHECK(bandwidth.bytes_per_second == bytes);
    }
    for (const char* bad : {"", "kbps", "1qps", "-8bps"}) CHECK(!reads(bad, bandwidth));
}

TEST_CASE("IPv6 addresses are read in every form of RFC 4291") {
    Ip6Address address{};
    CHECK(reads("2001:db8::8:800:200C:417A", address));
    CHECK(address == Ip6Address{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0x08, 0x08, 0x00, 0x20, 0x0c, 0x41, 0x7a});
    CHECK(reads("::", address));
    CHECK(address == Ip6Address{});
    CHECK(reads("::ffff:1.2.3.4", address));
    CHECK(address == Ip6Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4});
    CHECK(reads("1:2:3:4:5:6:7:8", address));
    CHECK(reads("fe80::", address));
    for (const char* bad : {"", ":", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "12345::", "g::", "1:2:3:4:5:6:7::8", "1.2.3.4", "::1.2.3", "1:"}) {
        CAPTURE(bad);
        CHECK(!reads(bad, address));
    }
    Ip6Prefix prefix;
    CHECK(reads("2001:db8::/32", prefix));
    CHECK(prefix.length == 32);
    for (const char* bad : {"::/129", "::/", "::/x", "/1"}) CHECK(!reads(bad, prefix));
    PortNumber port;
    CHECK(reads("https", port));
    CHECK(port.number == 443);
    CHECK(!reads("nothing", port));
    CHECK(!reads("65536", port));
}

TEST_CASE("bytes in hexadecimal stand for themselves, in quotes and outside") {
    Arena arena;
    const auto bytes = [&](std::string_view text) { return unquote(text, arena); };
    CHECK(bytes("\\<48 69>") == "Hi");
    CHECK(bytes("\"a\\<48/* x */69>b\\x21\\101\"") == "aHib!A");
    CHECK(bytes("'\\<48>'") == "\\<48>");
    CHECK(bytes("\\<4") == "@");
}

TEST_CASE("positional arguments are read in order, keywords from anywhere") {
    Configuration configuration{"first, SIZE 4, second"};
    Args args = configuration.args();
    std::string_view a, b;
    std::uint32_t size = 0;
    CHECK(args.required("A", a));
    CHECK(args.keyword("SIZE", size));
    CHECK(args.optional("B", b));
    CHECK(a == "first");
    CHECK(b == "second");
    CHECK(size == 4);
    args.complete();
    CHECK(configuration.errors.empty());
}

TEST_CASE("what is missing, unknown or of the wrong kind is reported") {
    Configuration configuration{"many, COLOR red"};
    Args args = configuration.args();
    std::uint32_t n = 5;
    CHECK(!args.required("N", n));
    CHECK(!args.required("M", n));
    args.complete();
    CHECK(n == 5);
    REQUIRE(configuration.errors.count() == 3);
    CHECK(configuration.errors[0].text() == "`x`: argument `N`: got `many`, expected a number from 0 to 4294967295");
    CHECK(configuration.errors[1].text() == "`x`: missing argument `M`");
    CHECK(configuration.errors[2].text() == "`x`: unknown argument `COLOR red`");
    CHECK(configuration.errors[2].place.column == 7);
}

}  // namespace unibpf::test
