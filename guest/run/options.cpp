#include "guest/run/options.hpp"

#include <fstream>

#include "guest/packet/packet.hpp"

namespace unibpf::run {
namespace {

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool parse_number(const std::string& text, std::uint64_t& value) {
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) return false;
    value = std::stoull(text);
    return value > 0;
}

bool add_packet(Options& options, const std::string& hex, std::string& error) {
    const auto bytes = parse_hex(hex);
    if (!bytes) error = "a packet must be an even number of hexadecimal digits, got `" + hex.substr(0, 40) + "`";
    else if (bytes->size() > Packet::longest_fresh) error = "a packet must fit " + std::to_string(Packet::longest_fresh) + " bytes, got " + std::to_string(bytes->size());
    if (!error.empty()) return false;
    options.packets.push_back(*bytes);
    return true;
}

bool add_packet_file(Options& options, const std::string& path, std::string& error) {
    std::ifstream file{path};
    if (!file) error = "cannot read `" + path + "`";
    for (std::string line; error.empty() && std::getline(file, line);) add_packet(options, line, error);
    return error.empty();
}

// MAP=KEY:VALUE, both in hexadecimal digits.
bool add_preset(Options& options, const std::string& text, std::string& error) {
    const auto name = text.find('='), middle = text.find(':', name);
    if (name != std::string::npos && middle != std::string::npos) {
        const auto key = parse_hex(text.substr(name + 1, middle - name - 1)), value = parse_hex(text.substr(middle + 1));
        if (key && value) options.presets.push_back({text.substr(0, name), *key, *value});
        if (key && value) return true;
    }
    error = "an entry must be `MAP=KEY:VALUE` with key and value in hexadecimal digits, got `" + text + "`";
    return false;
}

bool add_preset_file(Options& options, const std::string& path, std::string& error) {
    std::ifstream file{path};
    if (!file) error = "cannot read `" + path + "`";
    for (std::string line; error.empty() && std::getline(file, line);) add_preset(options, line, error);
    return error.empty();
}

// An option with a value.
bool set_option(Options& options, const std::string& name, const std::string& value, std::string& error) {
    if (name == "--packet") return add_packet(options, value, error);
    if (name == "--set") return add_preset(options, value, error);
    if (name == "--packets") return add_packet_file(options, value, error);
    if (name == "--entries") return add_preset_file(options, value, error);
    if (name == "--packets-out") return options.packets_out = value, true;
    if (name == "--repeat" && parse_number(value, options.repeat)) return true;
    if (name == "--loads" && parse_number(value, options.loads)) return true;
    if (name == "--budget" && parse_number(value, options.budget)) return true;
    if (name == "--policy" && (value == "checking" || value == "trusting")) {
        options.policy = value == "checking" ? Policy::checking : Policy::trusting;
        return true;
    }
    if (name == "--engine" && (value == "interpreter" || value == "jit")) {
        options.jit = value == "jit";
        return true;
    }
    error = "option `" + name + "` does not take `" + value + "`";
    return false;
}

bool set_flag(Options& options, const std::string& name) {
    if (name == "--maps") return options.maps = true;
    if (name == "--json") return options.json = true;
    if (name == "--in-place") return options.in_place = true;
    if (name == "--guarded") return options.guarded = true;
    if (name == "--opcodes") return options.opcodes = true;
    if (name == "--tables") return options.tables = true;
    return false;
}

}  // namespace

std::optional<Bytes> parse_hex(const std::string& text) {
    if (text.size() % 2 != 0) return {};
    Bytes bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = nibble(text[i]);
        const int low = nibble(text[i + 1]);
        if (high < 0 || low < 0) return {};
        bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return bytes;
}

std::optional<Options> parse_options(int argc, char** argv, std::string& error) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (set_flag(options, word)) continue;
        if (word.starts_with("--")) {
            if (++i == argc) error = "option `" + word + "` lacks its value";
            else set_option(options, word, argv[i], error);
        } else if (options.bundle.empty()) {
            options.bundle = word;
        } else {
            error = "got a second bundle `" + word + "`, expected one";
        }
        if (!error.empty()) return {};
    }
    if (options.bundle.empty() && !options.opcodes && !options.tables) error = "expected the path of a bundle";
    if (options.packets.empty()) options.packets.push_back(Bytes(64));
    return error.empty() ? std::optional{options} : std::nullopt;
}

}  // namespace unibpf::run
