"""docs/rules: a page for every rule and for nothing else, its examples judged as the page says."""

import ast
import re
from pathlib import Path

import pytest

from services.verifier.frontend.frontend import Answer, Options
from services.verifier.frontend.rules import RULES
from services.verifier.processes import worker
from services.verifier.processes.analysis import EXECUTABLE, Analyser, AnalyserOptions
from services.verifier.verification import Verification
from unibpf.formats import bundle
from unibpf.host import fence
from unibpf.messages.reports import Report
from unibpf.push.compile import compile_c

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "docs" / "rules"
NATIVE = dict(
    re.findall(
        r'\{Rule::\w+, "([a-z-]+)", "([^"]*)"', (ROOT / "services/verifier/native/findings/rules.hpp").read_text()
    )
)
# of which nothing is wrong but that the platform lacks it
LACKING = set(
    re.findall(
        r'\{Rule::\w+, "([a-z-]+)",[^{}]*, true\}', (ROOT / "services/verifier/native/findings/rules.hpp").read_text()
    )
)
PAGES = {path.stem: path.read_text() for path in sorted(CATALOGUE.glob("*.md")) if path.stem != "README"}
EXAMPLE = re.compile(r"^(Wrong|Right):\n\n```c\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRELUDE = (CATALOGUE / "README.md").read_text().partition("```c\n")[2].partition("```")[0]
MAX_LINES = 40
RAISERS = {"Malformed", "Ambiguous", "Unsupported", "GaveUp", "Rejection"}


def examples(which: str) -> list[object]:
    found = [(rule, code) for rule, page in PAGES.items() for kind, code in EXAMPLE.findall(page) if kind == which]
    return [pytest.param(rule, code, id=rule) for rule, code in found]


def rules_in_the_source(path: Path) -> set[str]:
    """The literal first arguments of errors that carry a rule."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    named = [(getattr(call.func, "id", ""), call.args[0]) for call in calls]
    return {first.value for name, first in named if name in RAISERS and isinstance(first, ast.Constant)}


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert len(NATIVE) > 20
    assert set(PAGES) == set(NATIVE) | set(RULES)


def test_the_front_ends_table_lists_what_its_code_raises() -> None:
    raised = set().union(*(rules_in_the_source(path) for path in (ROOT / "services/verifier").rglob("*.py")))
    raised |= {f"bundle-{rule}" for rule in re.findall(r'BundleError\(\s*"(\w+)"', Path(bundle.__file__).read_text())}
    uploads = (ROOT / "unibpf/push/upload.py").read_text()
    raised |= set(re.findall(r'UploadError\("([a-z-]+)"', uploads))
    raised |= {f"upload-{rule}" for rule in re.findall(r'_checked\(.*?, "([a-z]+)", [A-Z]+\)', uploads)}
    assert raised == set(RULES)


@pytest.mark.parametrize("rule", sorted(PAGES))
def test_a_page_is_short_and_begins_with_what_must_hold(rule: str) -> None:
    meaning = NATIVE.get(rule) or RULES[rule]
    assert RULES.get(rule, meaning) == meaning
    title, first, why = PAGES[rule].split("\n\n")[:3]
    assert (title, " ".join(first.split())) == (f"# {rule}", f"{meaning[0].upper()}{meaning[1:]}.")
    assert why.startswith("**Why**: ")
    assert len(PAGES[rule].splitlines()) <= MAX_LINES


def test_a_page_has_both_examples_or_says_what_to_do() -> None:
    for rule, page in PAGES.items():
        kinds = [kind for kind, _ in EXAMPLE.findall(page)]
        assert kinds == ["Wrong", "Right"] or (not kinds and "\n**What to do**: " in page), rule


@pytest.mark.parametrize(("rule", "code"), examples("Wrong"))
async def test_the_wrong_example_breaks_its_rule(rule: str, code: str, bin_directory: Path, tmp_path: Path) -> None:
    found = await judged(code, bin_directory, tmp_path)
    unsafe = rule in NATIVE and rule not in LACKING
    assert found.verdict == ("gave_up" if rule == "limits" else "unsafe" if unsafe else "unsupported")
    assert {finding.rule for finding in found.findings} == {rule}


@pytest.mark.parametrize(("rule", "code"), examples("Right"))
async def test_the_right_example_is_safe(rule: str, code: str, bin_directory: Path, tmp_path: Path) -> None:
    found = await judged(code, bin_directory, tmp_path)
    assert (found.verdict, found.findings) == ("safe", []), rule


async def judged(code: str, bin_directory: Path, folder: Path) -> Report:
    source = folder / "example.c"
    source.write_text(f"{PRELUDE}\n{code}")
    analyser = Analyser(executable=bin_directory / EXECUTABLE, options=AnalyserOptions())
    return (await Verification(translate=translate, analyser=analyser).verify(compile_c(source), Options())).report


async def translate(data: bytes, options: Options) -> Answer:
    return worker.limited(data, options, fence.Limits())
