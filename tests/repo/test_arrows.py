"""The import arrows of design section 3: they point one way."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("verifier", "signer", "deployer", "reconfigurer")

# A folder of the guest may include itself and what stands here.
GUEST_ARROWS = {
    "core": set(),
    "wire": {"core"},
    "platform": {"core", "wire"},
    "packet": {"core", "platform"},
    "drivers": {"core", "platform", "packet"},
    "bpf": {"core", "wire", "platform", "packet"},
    "graph": {"core", "platform", "packet", "drivers"},
    "elements": {"core", "wire", "platform", "packet", "drivers", "graph", "bpf"},
    "control": {"core", "wire", "platform", "packet", "drivers", "graph", "bpf"},
}
ANALYSER_MAY_INCLUDE = {
    "guest/bpf/bundle/isa.hpp",
    "guest/bpf/bundle/decode.hpp",
    "guest/bpf/bundle/validate.hpp",
    "guest/bpf/bundle/abi.hpp",
    "guest/bpf/bundle/cost.hpp",
    "guest/core/result.hpp",
    "guest/core/cbor.hpp",
}


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def included_files(path: Path) -> set[str]:
    return set(re.findall(r'#include "([^"]+)"', path.read_text()))


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".hpp", ".cpp"})


def test_the_package_never_imports_a_service() -> None:
    guilty = {
        path.relative_to(ROOT): module
        for path in (ROOT / "unibpf").rglob("*.py")
        for module in imported_modules(path)
        if module.split(".")[0] == "services"
    }
    assert not guilty


def test_only_the_command_line_imports_the_command_line() -> None:
    """What a program does with the pipeline returns values and raises: it knows no exit codes and prints nothing."""
    guilty = {
        path.relative_to(ROOT): module
        for top in ("unibpf", "services", "benchmarks", "tests/support", "tests/system", "tests/lab")
        for path in (ROOT / top).rglob("*.py")
        if not path.is_relative_to(ROOT / "unibpf/cli")
        for module in imported_modules(path)
        if module == "unibpf.cli" or module.startswith("unibpf.cli.")
    }
    assert not guilty


@pytest.mark.parametrize("folder", ["unibpf/client", "unibpf/demo"])
def test_what_the_command_line_stands_on_prints_nothing(folder: str) -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and node.id in {"print", "input"}
    ]
    assert not guilty


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_never_imports_another(service: str) -> None:
    guilty = {
        path.relative_to(ROOT): module
        for path in (ROOT / "services" / service).rglob("*.py")
        for module in imported_modules(path)
        if module.startswith("services.") and module.split(".")[1] != service
    }
    assert not guilty


@pytest.mark.parametrize("folder", sorted(GUEST_ARROWS))
def test_a_folder_of_the_guest_includes_only_what_lies_below_it(folder: str) -> None:
    allowed = GUEST_ARROWS[folder] | {folder}
    guilty = [
        f"{path.relative_to(ROOT)} includes {include}"
        for path in sources(ROOT / "guest" / folder)
        for include in included_files(path)
        if not include.startswith("guest/") or include.split("/")[1] not in allowed
    ]
    assert not guilty


def test_the_analyser_includes_only_the_tables_it_shares_with_the_guest() -> None:
    guilty = [
        f"{path.relative_to(ROOT)} includes {include}"
        for path in sources(ROOT / "services/verifier/native")
        for include in included_files(path)
        if include.startswith("guest/") and include not in ANALYSER_MAY_INCLUDE
    ]
    assert not guilty
