// NameInfo: names for addresses and ports, which AddressInfo and PortInfo declare and which words may use instead of a value.
//
// A name holds in the compound that declares it and in those inside. The router that is being built, or whose handler runs,
// is the current one; outside both nothing has a name but the well-known ports.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "guest/graph/arena.hpp"

namespace unibpf {

enum class NameKind : std::uint8_t {
    ip,
    ip_prefix,
    ip6,
    ip6_prefix,
    ether,
    port
};

class NameInfo {
  public:
    NameInfo() = default;  // holds nothing, takes nothing
    explicit NameInfo(Arena& arena) : arena_{&arena} {}

    // `scope`: the prefix of the declaring element's name, up to and with its last slash.
    template <typename T>
    bool add(std::string_view scope, NameKind kind, std::string_view name, const T& value) {
        static_assert(sizeof(T) <= sizeof(Row::value));
        if (!arena_) return false;
        Row row{arena_->copy(scope), arena_->copy(name), kind, {}};
        std::memcpy(row.value, &value, sizeof(T));
        return rows_.append(*arena_, row) != nullptr;
    }
    // Innermost first; the qualifiers `:ip`, `:ipnet`, `:ip6`, `:ip6net`, `:eth` choose among the values of one name.
    template <typename T>
    bool find(NameKind kind, std::string_view name, T& value) const {
        const void* found = find_bytes(kind, name);
        if (found) std::memcpy(&value, found, sizeof(T));
        return found != nullptr;
    }
    bool holds(NameKind kind, std::string_view name) const { return find_bytes(kind, name) != nullptr; }

    static const NameInfo& current();

    // While one lives, `names` is current, as an element of that name sees it.
    class Use {
      public:
        Use(const NameInfo& names, std::string_view element);
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

      private:
        const NameInfo* names_before_;
        std::string_view element_before_;
    };

  private:
    struct Row {
        std::string_view scope;
        std::string_view name;
        NameKind kind;
        std::uint8_t value[20];
    };
    const void* find_bytes(NameKind kind, std::string_view name) const;

    Arena* arena_ = nullptr;
    List<Row> rows_;
};

// "a/b/" of "a/b/c"; empty at the top.
std::string_view name_scope(std::string_view element);

}  // namespace unibpf
