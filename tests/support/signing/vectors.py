"""Golden vector files: `[case]` blocks of `field = value` lines."""

from pathlib import Path


def read_vectors(path: Path) -> dict[str, dict[str, str]]:
    """{case: {field: value}}, in file order; comments start with `#`."""
    cases: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            fields = cases.setdefault(line[1:-1], {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition(" =")
            fields[name] = value.strip()
    return cases
