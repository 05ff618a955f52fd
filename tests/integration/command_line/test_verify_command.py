"""`unibpf verify` as a user calls it: the real verifier and the real analyser, each in its process."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from tests.support.programs.programs import FOLDER, compiled
from tests.support.services.cli import Answer, Cli

# What would cost more than the verification itself; typer alone brings pydantic along.
HEAVY = {"typer", "pydantic", "rich", "nats", "opentelemetry", "cryptography", "cbor2", "asyncio", "http", "ssl"}
HEAVY_FOR_THE_VERIFIER = HEAVY - {"asyncio", "ssl", "cbor2"}
# Two instructions of C, and 50,000 that the assembler repeats.
LARGE = """
__attribute__((section("xdp"))) int large(void *ctx)
{
	int sum = 0;

	asm volatile(".rept 50000\\n%0 += 3\\n.endr" : "+r"(sum));
	return sum;
}
"""


@pytest.fixture
def verify(tmp_path: Path) -> "Verify":
    return Verify(tmp_path)


class Verify:
    """Calls the command; a test says which exit code it expects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cli = Cli(folder / "state")

    def object(self, name: str) -> Path:
        path = self.folder / f"{name}.o"
        path.write_bytes(compiled(name))
        return path

    def __call__(self, *words: object, code: int) -> Answer:
        found = self.cli.run("verify", *map(str, words), ok=False)
        assert found.code == code, found.err
        return found


def loaded_by(module: str, *words: str) -> set[str]:
    """The top-level packages that a call has imported when it ends."""
    script = (
        f"import sys, atexit; sys.argv = [{module!r}, *{list(words)!r}]\n"
        "atexit.register(lambda: print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr))\n"
        f"from {module} import main\n"
    )
    call = "main()" if module.startswith("unibpf") else "main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", script + call], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_command_imports_nothing_that_takes_long(verify: Verify) -> None:
    assert loaded_by("unibpf.cli.main", "verify", str(verify.object("pass"))) & HEAVY == set()


def test_the_verifier_imports_nothing_of_the_bus(verify: Verify) -> None:
    found = loaded_by("services.verifier.commands.verify", "verify", str(verify.object("pass")))
    assert found & HEAVY_FOR_THE_VERIFIER == set()
    assert "msgspec" in found


def test_a_safe_program_is_said_to_be_safe(verify: Verify) -> None:
    assert verify(verify.object("parse"), code=0).out.startswith("safe parse: filter, ")


def test_c_is_compiled_first_and_named_in_findings(verify: Verify) -> None:
    found = verify(FOLDER / "unsafe_parse.c", "--sarif", code=1)
    result = json.loads(found.out)["runs"][0]["results"][0]
    physical = result["locations"][0]["physicalLocation"]
    assert result["ruleId"] == "packet-bounds"
    assert physical["artifactLocation"]["uri"].endswith("tests/data/programs/unsafe_parse.c")
    assert physical["region"]["startLine"] == 10


def test_several_programs_are_verified_by_choice_or_all(verify: Verify) -> None:
    path = verify.object("several")
    assert "choose with `--section` and `--function`" in verify(path, code=2).err
    assert verify(path, "--program", "second", code=0).out.startswith("safe second")
    assert len(verify(path, "--all", code=0).out.splitlines()) == 3
    assert [one["program"] for one in verify(path, "--all", "--json", code=0).json["programs"]] == [
        "first",
        "second",
        "third",
    ]
    cases = fromstring(verify(path, "--all", "--junit", code=0).out).iter("testcase")
    assert [case.get("name") for case in cases] == ["first", "second", "third"]


def test_what_a_loader_would_set_is_verified_as_it_is_set(verify: Verify) -> None:
    path = verify.object("settings_decide")
    assert verify(path, "--const", "at=15", code=0).out.startswith("safe settings_decide: ")
    assert "error[stack-bounds]" in verify(path, "--const", "at=16", code=1).err
    assert "hint: did you mean `unchecked`?" in verify(path, "--const", "uncheckd=1", code=2).err
    sized = verify.object("sized_by_loader")
    assert "`--max-entries flows=N`" in verify(sized, "--inner", "tables=first", code=3).err
    words = ("--inner", "tables=first", "--max-entries", "flows=9", "--max-entries", "events=1")
    plain, more = (
        verify(sized, *words, *extra, "--json", code=0).json for extra in ((), ("--max-entries", "flows=10"))
    )
    assert plain["bundle"] != more["bundle"]
    assert plain["options_digest"] != more["options_digest"]
    assert more["loading"][-1] == "--inner=tables=first"
    explained = verify(path, "--const", "at=15", "--explain", code=0).out
    assert "  set: --const=at=15\n" in explained
    large = verify(sized, *words, "--max-entries", "flows=9999999", code=3).err
    assert "error[map-size]: map `flows` is too large for a guest: got 9999999 entries" in large
    assert "`--max-entries flows=1048576`" in large


def test_what_is_set_holds_for_all_programs_of_an_object(verify: Verify) -> None:
    dispatcher = Path("/usr/lib/x86_64-linux-gnu/bpf/xdp-dispatcher.o")
    found = verify(dispatcher, "--all", "--const", "conf.num_progs_enabled=2", "--json", code=0).json["programs"]
    assert [one["function"] for one in found] == ["xdp_dispatcher", "xdp_pass"]
    assert {tuple(one["loading"]) for one in found} == {("--const=conf.num_progs_enabled=2",)}


def test_the_explanation_carries_the_page_of_the_broken_rule(verify: Verify) -> None:
    found = verify(verify.object("unsafe_parse"), "--explain", code=1)
    assert "# packet-bounds\n" in found.out
    assert verify(verify.object("unsafe_parse"), code=1).out.count("packet-bounds") == 0


def test_invariants_are_shown_on_demand(verify: Verify) -> None:
    path = verify.object("parse")
    assert "  before 0: r1 = context" in verify(path, "--invariants", code=0).out
    rows = verify(path, "--invariants", "--json", code=0).json["invariants"]
    assert rows[0]["instruction"] == 0


def test_a_limit_is_gave_up(verify: Verify) -> None:
    source = verify.folder / "large.c"
    source.write_text(LARGE)
    found = verify(source, "--max-mebibytes", "1", code=4)
    assert found.out.startswith("gave up")
    assert found.err.startswith("error[limits]: the analysis needs more memory than its limit")


def test_the_graph_is_for_the_program_that_draws_it(verify: Verify) -> None:
    found = verify(verify.object("loops"), "--cfg", "dot", "--invariants", code=0)
    assert found.out.startswith('digraph "loops" {\n')
    assert found.out.endswith("}\n")
    assert "peripheries=2" in found.out
    assert found.err.startswith("safe loops: ")
    assert verify(verify.object("loops"), "--cfg", "dot", "--invariants", "--json", code=0).json["graph"] == found.out


def test_a_finding_says_which_instructions_led_there(verify: Verify) -> None:
    path = verify.object("unsafe_parse")
    steps = verify(path, "--json", code=1).json["findings"][0]["slice"]
    assert steps
    assert {"instruction", "text", "taken", "file", "line", "source"} == set(steps[0])
    result = json.loads(verify(path, "--sarif", code=1).out)["runs"][0]["results"][0]
    flow = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [one["location"]["message"]["text"].partition(": ")[2] for one in flow] == [step["text"] for step in steps]


@pytest.mark.parametrize(
    "words",
    [
        ("--cfg", "png"),
        ("--cfg", "dot", "--sarif"),
        ("--json", "--sarif"),
        ("--platform", "windows"),
        ("--max-seconds", "0"),
        ("--also", "nobody"),
        ("--unknown",),
        ("--const", "limit"),
        ("--max-entries", "flows=0"),
        ("--inner", "tables"),
    ],
)
def test_a_wrong_call_is_bad_input(verify: Verify, words: tuple[str, ...]) -> None:
    said = verify(verify.object("pass"), *words, code=2)
    assert said.json["rule"] == "usage" if "--json" in words else said.out == ""


def test_a_second_verifier_is_asked_and_its_agreement_told(verify: Verify) -> None:
    script = verify.folder / "bin" / "prevail"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\ntest "$2 $3" = "xdp parse" || exit 0\necho no >&2\nexit 1\n')
    script.chmod(0o755)
    verify.cli.environment = {"PATH": f"{script.parent}:/usr/bin:/bin"}
    found = verify(verify.object("parse"), "--json", "--also", "prevail", code=0)
    assert found.json["also"] == [
        {"verifier": "prevail", "program": "parse", "accepts": False, "agrees": False, "said": "no"}
    ]
    assert found.err.strip() == "prevail refuses `parse`, unlike this verifier: no"


def test_a_second_verifier_is_not_asked_about_what_it_cannot_see(verify: Verify) -> None:
    script = verify.folder / "bin" / "prevail"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    verify.cli.environment = {"PATH": f"{script.parent}:/usr/bin:/bin"}
    found = verify(verify.object("globals"), "--const", "limit=1", "--also", "prevail", code=0)
    assert found.err.strip().startswith("prevail cannot say of `globals`: not asked: it reads the object")
