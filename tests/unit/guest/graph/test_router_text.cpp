// Graphs as data: tests/data/graph/*.click holds a graph and after `%router` what becomes of it, or after `%errors` every
// fault that must be reported, with its place.
#include <doctest/doctest.h>

#include "guest/bpf/slot.hpp"
#include "guest/elements/standard.hpp"
#include "guest/graph/router.hpp"
#include "tests/support/native/fake_nic.hpp"
#include "tests/support/native/sections.hpp"

namespace unibpf::test {
namespace {

std::string describe(const Errors& errors) {
    std::string text;
    for (std::size_t i = 0; i < errors.kept(); ++i)
        text += std::to_string(errors[i].place.line) + ":" + std::to_string(errors[i].place.column) + " " +
                std::string{errors[i].text()} + "\n";
    return text;
}

// `name :: Class`, then its pushing outputs and its pulling inputs with their peers.
std::string describe(const Router& router) {
    std::string text;
    for (const Element* element : router.elements()) {
        text += std::string{element->name()} + " :: " + std::string{element->class_name()} + "\n";
        for (unsigned i = 0; i < element->outputs(); ++i)
            if (const Port& port = element->output(i); port.connected())
                text += "  [" + std::to_string(i) + "] -> [" + std::to_string(port.peer_port()) + "]" + std::string{port.peer()->name()} + "\n";
        for (unsigned i = 0; i < element->inputs(); ++i)
            if (const Port& port = element->input(i); port.connected())
                text += "  [" + std::to_string(i) + "] <- " + std::string{port.peer()->name()} + "[" + std::to_string(port.peer_port()) + "]\n";
    }
    return text;
}

}  // namespace

TEST_CASE("a graph's text becomes the router, or the errors, that its file says") {
    Registry registry;
    registry.add(standard_elements());
    const auto files = files_in(SOURCE_ROOT "/tests/data/graph", ".click");
    REQUIRE(files.size() > 20);
    for (const auto& file : files) {
        CAPTURE(file.filename().string());
        const auto sections = read_sections(file);
        REQUIRE(sections.size() == 2);
        PacketPool& pool = PacketPool::system();
        FakeNic eth0{"eth0", 0, pool}, eth1{"eth1", 1, pool};
        Nic* nics[] = {&eth0, &eth1};
        SlotRegistry slots;
        Environment environment;
        environment.nics = nics;
        environment.pool = &pool;
        environment.slots = &slots;
        Errors errors;
        const Owned<Router> router = Router::create(sections[0].text, registry, environment, errors);
        CHECK(static_cast<bool>(router) == errors.empty());
        const std::string expected = sections[1].text;
        if (sections[1].name == "errors") CHECK(describe(errors) == expected);
        else if (router) CHECK(describe(*router) == expected);
        else CHECK(describe(errors) == "");
    }
}

}  // namespace unibpf::test
