"""The shape of the house: no circles, no crowded rooms, and each unit test where its source is.

A folder and the folders in it are one house: wiring stands on top and imports its rooms, what all rooms share (a service's
errors) stands there as well. So arrows between a folder and its own parents make no circle of folders; circles of files and
of folders beside one another are never allowed.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ("unibpf", "services", "benchmarks", "schemas", "tests")
NATIVE = ("guest", "services/verifier/native")
SOURCES = {".py", ".hpp", ".cpp"}
MOST_ENTRIES = 20

# Unit tests that mirror no source, and why.
NO_MIRROR = {
    "guest/bpf/jit/test_jit.cpp": "the compiler as a whole, on the seam that both architectures implement",
    "guest/bpf/jit/test_jit_layout.cpp": "what both compilers lay out alike",
    "guest/bpf/test_engines_agree.cpp": "interpreter and compiler against each other",
    "guest/control/coap/test_coap_message.cpp": "reading and writing of messages together",
    "guest/control/coap/test_coap_server.cpp": "a server made of all that the folder holds",
    "guest/control/resources/test_golden_bodies.cpp": "the golden files of all bodies",
    "guest/control/test_bookkeeping.cpp": "floors and counters over several resources",
    "guest/control/trust/test_golden_envelopes.cpp": "the golden file, which other languages read too",
    "guest/drivers/test_constants.cpp": "the numbers of all drivers against the kernel's headers",
    "guest/elements/test_element_files.cpp": "runs tests/data/elements/*.test",
    "guest/elements/test_elements_page.cpp": "holds docs/elements.md",
    "guest/elements/test_random_packets.cpp": "every element, on anything",
    "guest/graph/test_limits.cpp": "the caps of lexer, parser and router together",
    "guest/graph/test_router_text.cpp": "runs tests/data/graph",
    "schemas/test_generated_schemas.py": "schemas/generate.py and the files that it makes",
    "services/signer/native/test_certificates.py": "the checker as a whole, on honest and on spoilt certificates",
    "services/signer/native/test_faulty_analysers.py": "the checker on what analysers with holes certified",
    "services/verifier/frontend/test_hostile_objects.py": "tests/data objects against the front end as a whole",
    "services/verifier/frontend/test_sections.py": "where a program's section attaches it, through the front end as a whole",
    "services/verifier/test_messages.py": "what findings say to people, front end and analyser together",
    "services/verifier/native/test_cases.py": "runs tests/data/analyser",
    "services/verifier/native/test_explanations.py": "what the analyser says, as a whole",
    "services/verifier/native/test_limits.py": "what the analyser's process may use",
    "services/verifier/native/test_mutants.py": "programs with one guard taken out, against the analyser as a whole",
}
# Sources of other executables may have the names of the guest's: the build flattens the folders of one executable only.
EXECUTABLES = ("guest/run", "guest/click", "guest/platform/pvh/pack")
PLATFORMS = ("guest/platform/linux", "guest/platform/pvh", "guest/platform/unikraft")

Graph = Mapping[str, Iterable[str]]


def files(tops: Iterable[str]) -> Iterator[Path]:
    for top in tops:
        yield from (path for path in sorted((ROOT / top).rglob("*")) if path.suffix in SOURCES)


def modules() -> dict[str, str]:
    """{module: file} of all Python of the repository."""
    paths = [path.relative_to(ROOT) for path in files(PYTHON) if path.suffix == ".py"]
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__"): str(path) for path in paths}


def imports(tree: ast.AST, known: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inside)


def python_arrows() -> dict[str, set[str]]:
    """{file: files that it imports}, also within functions and for type checkers only."""
    known = modules()
    return {
        path: {known[name] for name in imports(ast.parse((ROOT / path).read_text()), known) if name in known} - {path}
        for path in known.values()
    }


def native_arrows() -> dict[str, set[str]]:
    """{file: files that it includes}."""
    known = {str(path.relative_to(ROOT)): path for path in files(NATIVE) if path.suffix != ".py"}
    return {name: set(re.findall(r'#include "([^"]+)"', path.read_text())) & set(known) for name, path in known.items()}


def folder_arrows(arrows: Graph) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for source, targets in arrows.items():
        here = Path(source).parent
        for there in (Path(target).parent for target in targets):
            apart = not here.is_relative_to(there) and not there.is_relative_to(here)
            if apart:
                found[str(here)].add(str(there))
    return found


def circle(arrows: Graph) -> list[str]:
    """One way from a node back to itself; empty when there is none."""
    done: set[str] = set()

    def walk(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for target in sorted(arrows.get(node, ())):
            found = walk(target, [*way, node])
            if found:
                return found
        done.add(node)
        return []

    return next(filter(None, (walk(node, []) for node in sorted(arrows))), [])


def test_a_circle_is_found() -> None:
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle({"a": ["b", "c"], "b": ["c"]}) == []


@pytest.mark.parametrize("arrows", [python_arrows, native_arrows])
def test_no_file_needs_itself(arrows) -> None:
    assert circle(arrows()) == []


@pytest.mark.parametrize("arrows", [python_arrows, native_arrows])
def test_no_folder_needs_itself(arrows) -> None:
    assert circle(folder_arrows(arrows())) == []


def folders() -> Iterator[Path]:
    """All that hold sources; data folders are lists, and docs/rules has a page a rule."""
    for top in ("guest", "services", "unibpf", "tests"):
        found = [ROOT / top, *(path for path in sorted((ROOT / top).rglob("*")) if path.is_dir())]
        yield from (path for path in found if not {"data", "__pycache__"} & set(path.relative_to(ROOT).parts))


def entries(folder: Path) -> set[str]:
    """What a reader sees; a header and its source are one thing."""
    found = (path for path in folder.iterdir() if path.name != "__pycache__")
    return {path.stem if path.suffix in {".hpp", ".cpp"} else path.name for path in found}


def test_no_room_is_crowded() -> None:
    crowded = {str(path.relative_to(ROOT)): len(entries(path)) for path in folders()}
    assert {name: count for name, count in crowded.items() if count > MOST_ENTRIES} == {}


def mirrored(test: Path) -> bool:
    """Whether the place of a unit test, without `test_`, is that of a source or of a folder."""
    place = ROOT / test.parent / test.stem.removeprefix("test_")
    return place.is_dir() or any(place.with_name(place.name + suffix).is_file() for suffix in SOURCES)


def test_unit_tests_mirror_the_tree() -> None:
    found = [path.relative_to(ROOT / "tests/unit") for path in files(["tests/unit"]) if path.name.startswith("test_")]
    assert len(found) > 100
    assert {str(path) for path in found if not mirrored(path)} == set(NO_MIRROR)


def test_names_of_the_guests_sources_are_unique() -> None:
    """The platforms implement the same headers, so theirs may repeat among them."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in files(["guest"]):
        name = path.relative_to(ROOT)
        if not any(name.is_relative_to(other) for other in EXECUTABLES):
            platform = next((other for other in PLATFORMS if name.is_relative_to(other)), None)
            places[path.name].add("a platform" if platform else str(name.parent))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
