#include "guest/click/elements/driver_elements.hpp"

#include "guest/click/script/script.hpp"

namespace unibpf::click {

std::span<const ElementClass* const> driver_elements() {
    static const ElementClass* const rows[] = {&Script::class_row, &Script::manager_row};
    return rows;
}

}  // namespace unibpf::click
