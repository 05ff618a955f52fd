#include "guest/elements/info/address_info.hpp"

#include "guest/graph/router.hpp"

namespace unibpf {

constinit const ElementClass AddressInfo::class_row{
    "AddressInfo", "0/0", "a/a", "NAME ADDRESS ..., ...", "gives names to addresses", {}, {}, create_element<AddressInfo>, false, true};

void AddressInfo::configure(Args& args) {
    while (const Arg* arg = args.next()) {
        std::string_view rest = arg->text;
        const std::string_view name = next_word(rest);
        std::string_view word = next_word(rest);
        if (name.empty()) continue;
        if (word.empty()) args.errors().add(arg->place, "`", this->name(), "`: got `", name, "`, expected a name and addresses");
        for (; !word.empty(); word = next_word(rest))
            if (!add(name, word)) args.errors().add(arg->place, "`", this->name(), "`: got `", word, "`, expected an address");
    }
}

bool AddressInfo::add(std::string_view name, std::string_view word) {
    NameInfo& names = router().names();
    const std::string_view scope = name_scope(this->name());
    const bool prefix = word.find('/') != std::string_view::npos;
    IpPrefix ip;
    Ip6Prefix ip6;
    EtherAddress ether;
    if (read_word(word, ip)) return names.add(scope, NameKind::ip, name, ip.address) && (!prefix || names.add(scope, NameKind::ip_prefix, name, ip));
    if (read_word(word, ether)) return names.add(scope, NameKind::ether, name, ether);
    if (read_word(word, ip6))
        return names.add(scope, NameKind::ip6, name, ip6.address) && (!prefix || names.add(scope, NameKind::ip6_prefix, name, ip6));
    return false;
}

}  // namespace unibpf
