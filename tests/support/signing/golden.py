"""Reads the golden vectors of schemas/golden: `[case]` blocks of `field = value` lines."""

from unibpf.host.settings import REPOSITORY

FOLDER = REPOSITORY / "schemas" / "golden"


def blocks(name: str) -> dict[str, dict[str, str]]:
    """{case: {field: value}} of `<name>.txt`."""
    found: dict[str, dict[str, str]] = {}
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("["):
            found[line.strip("[]")] = {}
        elif "=" in line and not line.startswith("#"):
            field, _, value = line.partition("=")
            found[list(found)[-1]][field.strip()] = value.strip()
    return found
