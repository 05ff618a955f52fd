"""unibpf.client.guests: a guest file becomes a GuestSpec, or an error that names the file and the field."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from unibpf.bus import Entry
from unibpf.client import guests
from unibpf.client.guests import GuestFileError, read_guest_file
from unibpf.messages.guests import GuestObserved, GuestSpec, SpecRefusal

ROOT = Path(__file__).parents[4]
GOOD = """guest = "fw1"
audience = "edge"
graph = "graph.click"
"""


def write(folder: Path, text: str, graph: str | None = "c :: Control;") -> Path:
    if graph is not None:
        (folder / "graph.click").write_text(graph)
    path = folder / "guest.toml"
    path.write_text(text)
    return path


def test_the_graph_is_read_from_the_file_beside_it(tmp_path: Path) -> None:
    assert read_guest_file(write(tmp_path, GOOD)) == GuestSpec(
        guest="fw1", audience="edge", graph="c :: Control;", maps=[]
    )


def test_name_and_machine_of_the_command_line_win(tmp_path: Path) -> None:
    spec = read_guest_file(write(tmp_path, GOOD + 'machine = "q35"\n'), name="fw9", machine="process")
    assert (spec.guest, spec.machine) == ("fw9", "process")
    assert read_guest_file(write(tmp_path, GOOD + 'machine = "q35"\n')).machine == "q35"


@pytest.mark.parametrize(
    ("text", "graph", "complaint"),
    [
        (GOOD, None, "or its graph cannot be read"),
        ("guest = ", "", "guest.toml`: Invalid value"),
        (GOOD + "memory_mib = 1\n", "", r"Expected `int` >= 4 - at `\$.memory_mib`"),
        ('audience = "edge"\ngraph = "graph.click"\n', "", "missing required field `guest`"),
        (GOOD + 'machine = "pdp11"\n', "", "Invalid enum value 'pdp11'"),
        (GOOD + "memory_mb = 16\n", "", "no field `memory_mb`; did you mean `memory_mib`"),
        (GOOD + 'program = { fw = "firewall" }\n', "", "no field `program`; did you mean `programs`"),
        (GOOD + 'nics = [{ name = "in0", net = "left" }]\n', "", "no field `nics.net`"),
        (GOOD + "zzz = 1\n", "", "no field `zzz`; expected one of audience, graph"),
    ],
)
def test_a_bad_file_is_refused_by_its_field(tmp_path: Path, text: str, graph: str | None, complaint: str) -> None:
    with pytest.raises(GuestFileError, match=complaint):
        read_guest_file(write(tmp_path, text, graph))


@pytest.mark.parametrize("path", sorted(ROOT.glob("vnfs/*/guest.toml")), ids=lambda path: path.parent.name)
def test_the_guest_files_of_the_catalogue_are_good(path: Path) -> None:
    assert read_guest_file(path).programs


def test_one_look_shows_every_fault_of_the_fields(tmp_path: Path) -> None:
    text = 'guest = "FW"\ngraph = "graph.click"\nmemory_mb = 8\nmachine = "pdp11"\n'
    with pytest.raises(GuestFileError) as caught:
        read_guest_file(write(tmp_path, text))
    for word in ("`memory_mb`; did you mean `memory_mib`", "$.guest", "required field `audience`", "'pdp11'"):
        assert word in str(caught.value)


def observed(revision: int, **changes: Any) -> Entry:
    seen = GuestObserved(guest="g", state="running", audience="edge", host="h", spec="5" * 64)
    return Entry(key="g", value=msgspec.json.encode(msgspec.structs.replace(seen, **changes)), revision=revision)


REFUSED = SpecRefusal(spec="6" * 64, rule="graph", reason="x")


@pytest.mark.parametrize(
    ("before", "now", "is_answer"),
    [
        (None, observed(1), True),
        (None, observed(1, state="booting"), False),
        (observed(1, spec="4" * 64), observed(1, spec="4" * 64), False),
        (observed(1, state="failed"), observed(1, state="failed"), False),
        (observed(1, state="failed"), observed(2, state="failed"), True),
        (observed(1, refused=REFUSED), observed(1, refused=REFUSED), False),
        (observed(1, refused=REFUSED), observed(2), True),
    ],
)
def test_an_answer_is_about_what_was_asked_for(before: Entry | None, now: Entry, is_answer: bool) -> None:
    assert guests._is_answer("5" * 64, before, now) is is_answer
