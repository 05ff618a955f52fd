#include "guest/graph/names/name_info.hpp"

#include "guest/graph/text.hpp"

namespace unibpf {

namespace {

const NameInfo* current_names = nullptr;
std::string_view current_element;

struct Service {
    std::string_view name;
    std::uint16_t port;
};
// IANA's register of service names, those of daily use.
constexpr Service services[] = {
    {"echo", 7},
    {"discard", 9},
    {"daytime", 13},
    {"chargen", 19},
    {"ftp-data", 20},
    {"ftp", 21},
    {"ssh", 22},
    {"telnet", 23},
    {"smtp", 25},
    {"time", 37},
    {"domain", 53},
    {"dns", 53},
    {"bootps", 67},
    {"bootpc", 68},
    {"tftp", 69},
    {"gopher", 70},
    {"finger", 79},
    {"www", 80},
    {"http", 80},
    {"pop3", 110},
    {"sunrpc", 111},
    {"auth", 113},
    {"nntp", 119},
    {"ntp", 123},
    {"netbios-ns", 137},
    {"netbios-dgm", 138},
    {"netbios-ssn", 139},
    {"imap", 143},
    {"snmp", 161},
    {"snmp-trap", 162},
    {"irc", 194},
    {"bgp", 179},
    {"ldap", 389},
    {"https", 443},
    {"syslog", 514},
    {"imaps", 993},
    {"pop3s", 995},
    {"route", 520},
    {"rip", 520},
};

struct Qualifier {
    std::string_view suffix;
    NameKind kind;
};
constexpr Qualifier qualifiers[] = {
    {":ip", NameKind::ip},
    {":ipnet", NameKind::ip_prefix},
    {":ip6", NameKind::ip6},
    {":ip6net", NameKind::ip6_prefix},
    {":eth", NameKind::ether},
    {":ethernet", NameKind::ether},
};

std::string_view plain_name(NameKind kind, std::string_view name) {
    for (const Qualifier& qualifier : qualifiers)
        if (qualifier.kind == kind && name.ends_with(qualifier.suffix)) return slice(name, 0, name.size() - qualifier.suffix.size());
    return name;
}

}  // namespace

std::string_view name_scope(std::string_view element) {
    const std::size_t slash = element.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : slice(element, 0, slash + 1);
}

const NameInfo& NameInfo::current() {
    static const NameInfo none;
    return current_names ? *current_names : none;
}

NameInfo::Use::Use(const NameInfo& names, std::string_view element) : names_before_{current_names}, element_before_{current_element} {
    current_names = &names;
    current_element = element;
}

NameInfo::Use::~Use() {
    current_names = names_before_;
    current_element = element_before_;
}

const void* NameInfo::find_bytes(NameKind kind, std::string_view name) const {
    if (name.empty()) return nullptr;
    const std::string_view plain = plain_name(kind, name);
    const Row* best = nullptr;
    for (const Row& row : rows_) {
        const bool seen = row.kind == kind && row.name == plain && current_element.starts_with(row.scope);
        if (seen && (!best || row.scope.size() >= best->scope.size())) best = &row;
    }
    if (best) return best->value;
    if (kind == NameKind::port)
        for (const Service& service : services)
            if (service.name == name) return &service.port;
    return nullptr;
}

}  // namespace unibpf
