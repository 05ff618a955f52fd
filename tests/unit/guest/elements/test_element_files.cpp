// Elements as data: tests/data/elements/<element>-<behaviour>.test. A file is a script of sections, done in order:
//
//   %graph                 a configuration; a second one replaces the first, as a graph swap does
//   %program ELEMENT n     instructions in hexadecimal, n outputs: loaded and activated in that element
//   %in NIC                frames in hexadecimal: `ff*6` six times ff, `3 x 00*60` three such frames
//   %write                 `element handler value`
//   %wait NUMBER           milliseconds pass, in rounds a millisecond apart
//   %out NIC               every frame sent since the last %out of that NIC
//   %counters              `element handler value`, `element handler(argument) value`, `element packets n`,
//                          `element drops REASON n`; `|` in a value stands for the end of a line
//   %console               what was printed
//
// Before a check the router runs until nothing happens. Frames sent or drops counted that no section mentions are faults,
// and so is a packet slot that has not come back to the pool at the end.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "tests/support/native/sections.hpp"
#include "tests/unit/guest/elements/bench_router.hpp"

namespace unibpf::test {
namespace {

std::vector<std::uint8_t> parse_bytes(std::istringstream& words) {
    std::vector<std::uint8_t> bytes;
    for (std::string word; words >> word;) {
        std::size_t times = 1;
        if (const auto star = word.find('*'); star != std::string::npos) {
            times = std::stoul(word.substr(star + 1));
            word.resize(star);
        }
        for (; times > 0; --times)
            for (std::size_t i = 0; i + 1 < word.size(); i += 2)
                bytes.push_back(static_cast<std::uint8_t>(std::stoul(word.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

std::vector<Frame> parse_frames(const Section& section) {
    std::vector<Frame> frames;
    for (const std::string& line : section.lines) {
        const auto times = line.find(" x ");
        std::istringstream words{times == std::string::npos ? line : line.substr(times + 3)};
        const Frame frame = parse_bytes(words);
        frames.insert(frames.end(), times == std::string::npos ? 1 : std::stoul(line), frame);
    }
    return frames;
}

std::string hex(const std::vector<Frame>& frames) {
    std::string text;
    for (const Frame& frame : frames) {
        for (std::uint8_t byte : frame) {
            constexpr char hex_digits[] = "0123456789abcdef";
            text += {hex_digits[byte >> 4], hex_digits[byte & 15]};
        }
        text += "\n";
    }
    return text;
}

// `name` or `name(argument)`.
std::string read_handler(Element& element, const std::string& called) {
    const std::size_t open = called.find('(');
    const std::string name = called.substr(0, open);
    const Handler* handler = element.element_class().handler(name);
    const bool queried = open != std::string::npos && handler && handler->query;
    if (!queried && (!handler || !handler->read)) return "no handler " + name;
    char buffer[1024];
    Text text{buffer};
    if (!queried) handler->read(element, text);
    else if (!handler->query(element, called.substr(open + 1, called.size() - open - 2), text).ok()) return "refused";
    return std::string{text.view()};
}

class Script {
  public:
    explicit Script(const std::filesystem::path& path) : sections_{read_sections(path)} {}

    void run() {
        const std::size_t slots = PacketPool::system().available();
        for (const Section& section : sections_) step(section);
        REQUIRE(bench_);
        for (const char* nic : {"eth0", "eth1", "eth2"}) CHECK(hex(bench_->nic(nic)->sent) == "");
        check_unmentioned_drops();
        bench_.reset();
        CHECK(PacketPool::system().available() == slots);
    }

  private:
    void step(const Section& section) {
        CAPTURE(section.name + " " + section.argument);
        if (section.name == "graph") graph(section);
        else if (section.name == "in") in(section);
        else if (section.name == "program") program(section);
        else if (section.name == "write") write(section);
        else if (section.name == "wait") bench_->wait(std::stoul(section.argument));
        else if (section.name == "out") out(section);
        else if (section.name == "counters") counters(section);
        else if (section.name == "console") console_says(section);
        else CHECK(section.name == "");  // what stands before the first section
    }

    void graph(const Section& section) {
        if (bench_) bench_->replace(section.text);
        else bench_ = std::make_unique<BenchRouter>(section.text);
        REQUIRE_MESSAGE(bench_->router, std::string{bench_->errors[0].text()});
    }

    void program(const Section& section) {
        std::istringstream argument{section.argument};
        std::string element;
        std::uint64_t outputs = 0;
        argument >> element >> outputs;
        std::istringstream words{section.text};
        REQUIRE(bench_->load(element, parse_bytes(words), outputs) == "");
    }

    void in(const Section& section) {
        FakeNic* nic = bench_->nic(section.argument);
        REQUIRE(nic);
        for (const Frame& frame : parse_frames(section)) nic->arriving.push_back(frame);
    }

    void write(const Section& section) {
        bench_->run();
        for (const std::string& line : section.lines) {
            std::istringstream words{line};
            std::string name, handler_name, value;
            words >> name >> handler_name;
            value = rest(words);
            Element* element = bench_->router->find(name);
            REQUIRE(element);
            const Handler* handler = element->element_class().handler(handler_name);
            REQUIRE(handler);
            REQUIRE(static_cast<bool>(handler->write));
            CHECK(handler->write(*element, value).ok());
        }
    }

    void out(const Section& section) {
        bench_->run();
        FakeNic* nic = bench_->nic(section.argument);
        REQUIRE(nic);
        CHECK(hex(nic->sent) == hex(parse_frames(section)));
        nic->sent.clear();
    }

    void counters(const Section& section) {
        bench_->run();
        for (const std::string& line : section.lines) {
            CAPTURE(line);
            std::istringstream words{line};
            std::string name, what, value;
            words >> name >> what;
            value = rest(words);
            Element* element = bench_->router->find(name);
            REQUIRE(element);
            if (what == "packets") CHECK(std::to_string(element->packets()) == value);
            else if (what == "drops" && value.find(' ') != std::string::npos) drops(*element, value);
            else CHECK(read_handler(*element, what) == value);
        }
    }

    // What is left of a line; `|` stands for the end of one.
    static std::string rest(std::istringstream& words) {
        std::string text;
        std::getline(words >> std::ws, text);
        std::replace(text.begin(), text.end(), '|', '\n');
        return text;
    }

    void drops(const Element& element, const std::string& what) {
        std::istringstream words{what};
        std::string reason;
        std::uint64_t expected = 0, got = ~0ull;
        words >> reason >> expected;
        for (std::size_t i = 0; i < drop_reason_count; ++i)
            if (drop_reasons[i].name == reason) got = element.drops()[i];
        CHECK(got == expected);
        mentioned_.insert(std::string{element.name()} + " " + reason);
    }

    void console_says(const Section& section) {
        bench_->run();
        CHECK(console() == section.text);
    }

    static bool declares(const Element& element, DropReason reason) {
        return std::ranges::count(element.element_class().drops, reason) != 0;
    }

    void check_unmentioned_drops() {
        for (const Element* element : bench_->router->elements())
            for (std::size_t i = 0; i < drop_reason_count; ++i) {
                const std::string drop = std::string{element->name()} + " " + std::string{drop_reasons[i].name};
                CAPTURE(drop);
                if (!mentioned_.count(drop) || !declares(*element, static_cast<DropReason>(i))) CHECK(element->drops()[i] == 0);
            }
    }

    std::vector<Section> sections_;
    std::unique_ptr<BenchRouter> bench_;
    std::set<std::string> mentioned_;
};

}  // namespace

TEST_CASE("elements do with packets what their test files say") {
    const auto files = files_in(SOURCE_ROOT "/tests/data/elements", ".test");
    REQUIRE(files.size() > 15);
    for (const auto& file : files) {
        CAPTURE(file.filename().string());
        Script{file}.run();
    }
}

TEST_CASE("every standard element has a test file") {
    const auto files = files_in(SOURCE_ROOT "/tests/data/elements", ".test");
    for (const ElementClass* row : standard_elements()) {
        std::string name{row->name};
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        const bool found = std::any_of(files.begin(), files.end(), [&](const auto& file) {
            return file.filename().string().starts_with(name + "-");
        });
        CHECK_MESSAGE(found, name);
    }
}

}  // namespace unibpf::test
