#include "guest/elements/info/port_info.hpp"

#include "guest/graph/router.hpp"

namespace unibpf {

constinit const ElementClass PortInfo::class_row{
    "PortInfo", "0/0", "a/a", "NAME PORT[/tcp|/udp], ...", "gives names to TCP and UDP ports", {}, {}, create_element<PortInfo>, false, true};
constinit const ElementClass AlignmentInfo::class_row{"AlignmentInfo", "0/0", "a/a", "ELEMENT MODULUS OFFSET ..., ...", "says how packets are aligned, which nothing here depends on", {}, {}, create_element<AlignmentInfo>};

void PortInfo::configure(Args& args) {
    while (const Arg* arg = args.next()) {
        std::string_view rest = arg->text;
        const std::string_view name = next_word(rest);
        std::string_view word = next_word(rest);
        for (const std::string_view protocol : {"/tcp", "/udp"})
            if (word.ends_with(protocol)) word = slice(word, 0, word.size() - protocol.size());
        std::uint16_t port = 0;
        if (read_word(word, port)) router().names().add(name_scope(this->name()), NameKind::port, name, port);
        else args.errors().add(arg->place, "`", this->name(), "`: got `", arg->text, "`, expected a name and a port");
    }
}

void AlignmentInfo::configure(Args& args) {
    while (args.next()) {}
}

}  // namespace unibpf
