#include "guest/click/driver_elements.hpp"

#include "guest/click/elements/dump.hpp"
#include "guest/click/elements/from_ip_summary_dump.hpp"
#include "guest/click/elements/message.hpp"
#include "guest/click/elements/to_ip_summary_dump.hpp"
#include "guest/click/script.hpp"

namespace unibpf::click {

std::span<const ElementClass* const> driver_elements() {
    static const ElementClass* const rows[] = {
        &Script::class_row,
        &Script::manager_row,
        &FromDump::class_row,
        &ToDump::class_row,
        &FromIPSummaryDump::class_row,
        &ToIPSummaryDump::class_row,
        &Message::class_row,
        &ErrorElement::class_row,
    };
    return rows;
}

}  // namespace unibpf::click
