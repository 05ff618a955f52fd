"""Write the list of element classes, `list_elements.py FOLDER OUTPUT`: every `static const ElementClass class_row` of a header.

So a new element is its own files and nothing else; the list is in the order of the names.
"""

import re
import sys
from pathlib import Path

CLASS = re.compile(
    r"^class (\w+)[^;{]*\{(?:(?!^class ).)*?static const ElementClass class_row;", re.MULTILINE | re.DOTALL
)


def listing(folder: Path) -> str:
    """The C++ source that defines `standard_elements()`."""
    found = {name: header for header in sorted(folder.rglob("*.hpp")) for name in CLASS.findall(header.read_text())}
    headers = sorted({f"guest/elements/{header.relative_to(folder)}" for header in found.values()})
    lines = [
        "// Made by guest/elements/list_elements.py.",
        '#include "guest/elements/standard.hpp"\n',
        *(f'#include "{header}"' for header in headers),
        "\nnamespace unibpf {\n",
        "static constexpr const ElementClass* element_rows[] = {",
        *(f"    &{name}::class_row," for name in sorted(found, key=str.lower)),
        "};\n",
        "std::span<const ElementClass* const> standard_elements() { return element_rows; }\n",
        "}  // namespace unibpf\n",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(listing(Path(sys.argv[1])))
