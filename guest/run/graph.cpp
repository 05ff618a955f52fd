// unibpf-graph: says what a guest would say of a graph, before there is a guest: the guest's own parser, checks and elements,
// with NICs that bear the given names and lead nowhere. The graph comes on standard input, the answer is JSON on standard output.
//
// Exit status: 0 a guest with these NICs would start the graph, 1 it would not, 2 usage.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "guest/bpf/slot.hpp"
#include "guest/control/control_element.hpp"
#include "guest/drivers/nic.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "guest/run/output.hpp"

namespace unibpf::run {
namespace {

class NullNic final : public Nic {
  public:
    std::size_t receive(Batch&) override { return 0; }
    void transmit(Batch&& batch) override { batch.clear(); }
    void flush() override {}
};

struct Question {
    std::array<NullNic, Nic::most_nics> nics;
    std::size_t nic_count = 0;
    std::size_t memory_mib = 64;  // a graph that needs more than its guest's memory is refused; the guest has less of it for graphs
};

constexpr std::size_t most_shown = 120;  // bytes of a configuration
constexpr std::size_t most_memory_mib = 1024;  // unibpf/messages/guests.py
constexpr std::size_t most_heap_mib = 192;     // of the 256 MiB that the process platform gives out

bool take(Question& question, std::string_view option, std::string_view value) {
    if (option == "--nic" && question.nic_count < Nic::most_nics && !value.empty() && value.size() <= Nic::name_bytes) {
        question.nics[question.nic_count++].set_name(value);
        return true;
    }
    if (option != "--memory") return false;
    const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), question.memory_mib);
    return fault == std::errc{} && end == value.data() + value.size() && question.memory_mib > 0 && question.memory_mib <= most_memory_mib;
}

bool parse(int argc, char** argv, Question& question) {
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !take(question, argv[i], argv[i + 1])) return false;
    return true;
}

// One byte more than a graph may have: the router names the fault.
std::string read_graph() {
    std::string text(max_graph_text + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), stdin));
    return text;
}

// Any bytes as a JSON string: what is not printable ASCII stands for itself by number (RFC 8259, 7).
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == '"' || byte == '\\') out += '\\';
        if (byte >= 0x20 && byte < 0x7f) {
            out += c;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        out += escaped;
    }
    return out + '"';
}

std::string place_json(Place place) {
    return "\"line\":" + std::to_string(place.line) + ",\"column\":" + std::to_string(place.column);
}

std::string errors_json(const Errors& errors) {
    std::string out;
    for (std::size_t i = 0; i < errors.kept(); ++i)
        out += (i == 0 ? "{" : ",{") + place_json(errors[i].place) + ",\"text\":" + quoted(errors[i].text()) + "}";
    return "[" + out + "],\"more\":" + std::to_string(errors.count() - errors.kept());
}

std::string slot_json(const ProgramSlot* slot) {
    if (slot == nullptr) return "";
    return ",\"program\":" + quoted(slot->program()) + ",\"kind\":" + quoted(abi::describe(slot->kind()).name);
}

std::string elements_json(const Router& router, const SlotRegistry& slots) {
    std::string out;
    for (const Element* element : router.elements()) {
        out += (out.empty() ? "{" : ",{") + place_json(element->place()) + ",\"name\":" + quoted(element->name()) +
               ",\"class\":" + quoted(element->class_name()) + ",\"configuration\":" + quoted(slice(element->configuration(), 0, most_shown)) +
               ",\"processing\":" + quoted(element->element_class().processing) + slot_json(slots.find(element->name())) + "}";
    }
    return "[" + out + "]";
}

// Every connection once, with the kind of its ends: where it pushes its source knows it, where it is pulled its sink.
std::string connections_json(const Router& router) {
    const auto elements = router.elements();
    const auto index = [&](const Element* element) { return std::to_string(std::find(elements.begin(), elements.end(), element) - elements.begin()); };
    std::string out;
    const auto add = [&](const std::string& from, unsigned from_port, const std::string& to, unsigned to_port, bool push) {
        out += (out.empty() ? "{" : ",{") + ("\"from\":" + from) + ",\"from_port\":" + std::to_string(from_port) + ",\"to\":" + to +
               ",\"to_port\":" + std::to_string(to_port) + ",\"push\":" + (push ? "true" : "false") + "}";
    };
    for (const Element* element : elements) {
        for (unsigned i = 0; i < element->outputs(); ++i)
            if (const Port& port = element->output(i); port.connected()) add(index(element), i, index(port.peer()), port.peer_port(), true);
        for (unsigned i = 0; i < element->inputs(); ++i)
            if (const Port& port = element->input(i); port.connected()) add(index(port.peer()), port.peer_port(), index(element), i, false);
    }
    return "[" + out + "]";
}

int check(Question& question) {
    std::FILE* output = separate_output_from_console();
    Heap::system(std::min(question.memory_mib, most_heap_mib) << 20);
    std::array<Nic*, Nic::most_nics> nics{};
    for (std::size_t i = 0; i < question.nic_count; ++i) nics[i] = &question.nics[i];
    Registry registry;
    registry.add(standard_elements());
    registry.add(control_element_class);
    SlotRegistry slots;
    Environment environment;
    environment.nics = {nics.data(), question.nic_count};
    environment.pool = &PacketPool::system();
    environment.slots = &slots;
    Errors errors;
    const Owned<Router> router = Router::create(read_graph(), registry, environment, errors);
    const std::string elements = router ? elements_json(*router, slots) : "[]";
    const std::string connections = router ? connections_json(*router) : "[]";
    std::fprintf(output, "{\"errors\":%s,\"elements\":%s,\"connections\":%s}\n", errors_json(errors).c_str(), elements.c_str(), connections.c_str());
    std::fclose(output);
    return router ? 0 : 1;
}

}  // namespace
}  // namespace unibpf::run

int main(int argc, char** argv) {
    static unibpf::run::Question question;
    if (!unibpf::run::parse(argc, argv, question)) {
        std::fputs("usage: unibpf-graph [--nic NAME]... [--memory MIB] <GRAPH\n", stderr);
        return 2;
    }
    return unibpf::run::check(question);
}
