"""What a guest would say of its specification, asked on a host before anything that runs is touched.

`unibpf-graph` (guest/run/graph.cpp) is the guest's own parser, checks and elements; it reads a stranger's text, so it runs in
the fence. What it says of the graph is held against the other fields here: NICs, and which element runs which program.
"""

import difflib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from unibpf.host import fenced
from unibpf.host.fence import AnswerTooLongError, Limits
from unibpf.messages.guests import GuestSpec

logger = logging.getLogger(__name__)

EXECUTABLE: Final = "unibpf-graph"
MANAGEMENT: Final = "mgmt"
MOST_GRAPH_BYTES: Final = 65536
MOST_NICS: Final = 15  # guest/drivers/nic.hpp has 16, of which one is the management NIC
LIMITS: Final = Limits(cpu_seconds=5, wall_seconds=10.0, memory_bytes=1 << 30, answer_bytes=1 << 20)


class GraphError(Struct, frozen=True, kw_only=True):
    """One fault, at its place in the graph's text; both count from 1."""

    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"graph {self.line}:{self.column}: {self.text}"


class Element(Struct, frozen=True, kw_only=True, rename={"class_name": "class"}):
    """An element of a sound graph; `program` and `kind` of those that run one."""

    name: str
    class_name: str
    line: int
    column: int
    program: str | None = None
    kind: str | None = None
    configuration: str = ""
    processing: str = "a/a"  # Click's code: h push, l pull, a as its neighbours are


class Connection(Struct, frozen=True, kw_only=True, rename={"from_element": "from"}):
    """From an output to an input; elements by their place in the report."""

    from_element: int
    from_port: int
    to: int
    to_port: int
    push: bool


class GraphReport(Struct, frozen=True, kw_only=True):
    """What a guest would say; `more` errors were found than it keeps."""

    errors: list[GraphError] = []
    more: int = 0
    elements: list[Element] = []
    connections: list[Connection] = []

    def faults(self) -> list[str]:
        """One line each, in the order of the text."""
        more = [f"graph: and {self.more} more errors"] if self.more else []
        return [str(error) for error in sorted(self.errors, key=lambda one: (one.line, one.column))] + more


class GraphCheckMissing(Exception):  # noqa: N818  what is the matter
    """The executable cannot be asked here: nothing is known of the graph."""


async def check_graph(folder: Path, text: str, *, nics: Sequence[str], memory_mib: int) -> GraphReport:
    """Ask for a graph on a guest with these NICs and this memory; raises GraphCheckMissing."""
    options = [word for nic in nics[: MOST_NICS + 1] for word in ("--nic", nic)]
    command: list[str | Path] = [folder / EXECUTABLE, *options, "--memory", str(memory_mib)]
    try:
        ended = await fenced.ask(command, text.encode(errors="replace"), LIMITS)
        return msgspec.json.decode(ended.output, type=GraphReport)
    except TimeoutError:
        return _beyond("takes too long to check")
    except OSError as error:
        raise GraphCheckMissing(f"`{folder / EXECUTABLE}` cannot be run: {error}") from error
    except (msgspec.MsgspecError, AnswerTooLongError) as error:
        logger.warning("the graph ended its check: %s", error)
        return _beyond("ends the guest's own parser (out of memory, or a fault of UniBPF: please report it)")


async def check_spec(folder: Path, spec: GuestSpec) -> GraphReport:
    """The same for a whole specification."""
    names = [nic.name for nic in spec.nics]
    return await check_graph(folder, spec.graph, nics=names, memory_mib=spec.memory_mib)


def nic_faults(spec: GuestSpec) -> list[str]:
    """What is wrong with the NICs, whatever the host."""
    names = [nic.name for nic in spec.nics]
    faults = [
        f"NIC `{name}` is there {names.count(name)} times" for name in sorted(set(names)) if names.count(name) > 1
    ]
    if MANAGEMENT in names:
        faults.append(f"NIC `{MANAGEMENT}` is the management NIC's name, which no other may have")
    if len(names) > MOST_NICS:
        faults.append(f"got {len(names)} NICs, expected at most {MOST_NICS}")
    return faults


def program_faults(spec: GuestSpec, report: GraphReport) -> dict[str, str]:
    """By element, where `programs` and the graph disagree: such an element would drop everything for ever."""
    if report.errors:
        return {}
    elements = {element.name: element for element in report.elements}
    faults = {
        name: fault
        for name, program in sorted(spec.programs.items())
        if (fault := _program_fault(name, program, elements)) is not None
    }
    return faults | {
        name: f'`programs` does not name it: add `{name} = "{element.program}"`'
        for name, element in elements.items()
        if element.program is not None and name not in spec.programs
    }


def program_lines(faults: dict[str, str]) -> list[str]:
    """One line each."""
    return [f"programs: element `{element}`: {fault}" for element, fault in faults.items()]


def _program_fault(name: str, program: str, elements: dict[str, Element]) -> str | None:
    element = elements.get(name)
    if element is None:
        able = [one.name for one in elements.values() if one.program is not None]
        near = difflib.get_close_matches(name, able, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"elements that run programs: {', '.join(able) or 'none'}"
        return f"the graph has no such element; {hint}"
    if element.program is None:
        return f"it is a {element.class_name}, which runs no program"
    if element.program != program:
        return f"the graph lets it run `{element.program}` only, got `{program}`"
    return None


def _beyond(what: str) -> GraphReport:
    return GraphReport(errors=[GraphError(line=1, column=1, text=f"the graph {what}")])
