"""unibpf.client.guests: a guest file becomes a GuestSpec, or an error that names the file and the field."""

from pathlib import Path

import pytest

from unibpf.client.guests import GuestFileError, read_guest_file
from unibpf.messages.guests import GuestSpec

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
    assert read_guest_file(write(tmp_path, GOOD)) == GuestSpec(guest="fw1", audience="edge", graph="c :: Control;")


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
