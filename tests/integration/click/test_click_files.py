"""`click` as its users call it: each file of tests/data/click is a script, its files, and what must come out.

%script            shell commands; `click` is ours
%file NAME         a file that is there beforehand
%expect NAME       what `stdout`, `stderr` or a file holds afterwards; `{{...}}` in it is a regular expression
%ignore            regular expressions: lines that are not compared
%status N          the exit status (0)
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from unibpf.host.settings import binary_directory

FOLDER = Path(__file__).parents[2] / "data" / "click"
FILES = sorted(FOLDER.glob("*.test"))


def sections(path: Path) -> list[tuple[str, str, str]]:
    """Name, argument and text of each."""
    found = re.split(r"^%(\w+)[ \t]*(.*)\n", path.read_text(), flags=re.MULTILINE)[1:]
    return list(zip(found[::3], found[1::3], found[2::3], strict=True))


def pattern(line: str) -> str:
    parts = re.split(r"\{\{(.*?)\}\}", line)
    return "".join(part if i % 2 else re.escape(part) for i, part in enumerate(parts))


def compared(text: str, ignored: list[str]) -> list[str]:
    return [line for line in text.splitlines() if not any(re.search(one, line) for one in ignored)]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_script_gives_what_its_file_says(path: Path, tmp_path: Path) -> None:
    parts = sections(path)
    for name, argument, text in parts:
        if name == "file":
            (tmp_path / argument).write_text(text)
    script = next(text for name, _, text in parts if name == "script")
    status = next((int(argument) for name, argument, _ in parts if name == "status"), 0)
    ignored = [line for name, _, text in parts if name == "ignore" for line in text.splitlines()]
    search = f"{binary_directory({})}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": search},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == status, done.stderr
    streams = {"stdout": done.stdout, "stderr": done.stderr}
    for name, argument, text in parts:
        if name == "expect":
            got = streams[argument] if argument in streams else (tmp_path / argument).read_text()
            wanted = compared(text, ignored)
            lines = compared(got, ignored)
            same = len(lines) == len(wanted) and all(
                re.fullmatch(pattern(w), g) for w, g in zip(wanted, lines, strict=True)
            )
            assert same, f"{argument}:\n{got}\nexpected:\n{text}"


def test_there_are_files() -> None:
    assert len(FILES) > 15
