"""A mutation test of the analyser: small faults are put into its source one at a time, and somebody has to notice.

Each mutant is one line changed by one operator, or one of the holes that were found before, put back (`HOLES`). Its file is
compiled and linked in front of the library. Who may notice: the cases (`tests/data/analyser`), the generator of random
programs, and the laws of domains and states (`test_analyser`). What nobody notices is a survivor: it has to stand in
`survivors.txt` with its reason, or the run fails. Mutants are of .cpp files: a header would rebuild everything.

    python -m tests.soundness.mutants [--share 1/4] [--only TEXT] [--list] [--holes]

About half a minute each.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
NATIVE: Final = ROOT / "services" / "verifier" / "native"
BUILD: Final = ROOT / "build" / "native"
FOLDERS: Final = ("effects", "state", "domains", "checks")
GUEST: Final = "../../../guest/bpf"
SURVIVORS: Final = Path(__file__).with_name("survivors.txt")
MOST: Final = 100
PROGRAMS: Final = "3000"

# Name, pattern, replacement.
OPERATORS: Final[Sequence[tuple[str, str, str]]] = (
    ("looser", r" < ", " <= "),
    ("tighter", r" <= ", " < "),
    ("looser", r" > ", " >= "),
    ("tighter", r" >= ", " > "),
    ("equal", r" == ", " != "),
    ("unequal", r" != ", " == "),
    ("either", r" && ", " || "),
    ("both", r" \|\| ", " && "),
    ("least", r"std::min\b", "std::max"),
    ("most", r"std::max\b", "std::min"),
    ("no", r"\btrue\b", "false"),
    ("yes", r"\bfalse\b", "true"),
    ("more", r" \+ 1\b", ""),
    ("less", r" - 1\b", ""),
    ("plus", r" - (?=[a-z])", " + "),
    ("minus", r" \+ (?=[a-z])", " - "),
    ("upper", r"\.low\b", ".high"),
    ("lower", r"\.high\b", ".low"),
    ("not", r"\(!", "("),
    ("union", r" \| ", " & "),
    ("section", r" & ", " | "),
)
DROPPED: Final = re.compile(
    r"\s+(state\.|forget_|erase\(|if \(.*\) return |known\.|each_value\(|frame\.|entry->|out_\.).*;\s*$"
)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """Replacements in one file; all are made."""

    name: str
    file: str
    changes: Sequence[tuple[str, str]]


HOLES: Final = (
    Mutant(
        name="hole-half-has-a-sign",
        file="effects/transformer.cpp",
        changes=(
            (
                "of_number(value, [&](const Number& number) { return extend(number, insn.bytes); }) : value;",
                "Value{extend(*Value::number(value.symbol, value.delta).as_number(), insn.bytes)} : value;",
            ),
        ),
    ),
    Mutant(
        name="hole-context-without-sign",
        file="effects/transformer.cpp",
        changes=(("base.kind == Kind::context && !insn.sign", "base.kind == Kind::context"),),
    ),
    Mutant(
        name="hole-null-of-moved-pointers",
        file="state/join.cpp",
        changes=(("return pointer.may_be_null() || side.is_never_zero(pointer);", "return true;"),),
    ),
    Mutant(
        name="hole-null-of-any-address",
        file="effects/transformer_control.cpp",
        changes=(("return !is_null || !state.is_never_zero(pointer);", "return !is_null;"),),
    ),
    Mutant(
        name="hole-entry-function-is-null",
        file=f"{GUEST}/program.cpp",
        changes=(("set_imm64(in, function_value(", "set_imm64(in, ("),),
    ),
)
# What else has to change for these holes: the checker refuses besides, and callbacks are found by their functions' values.
OPENED: Final[dict[str, Sequence[tuple[str, str, str]]]] = {
    "hole-half-has-a-sign": [
        ("checks/checker.cpp", "if (!a.sign || value.is_number()) return std::nullopt;", "return std::nullopt;")
    ],
    "hole-context-without-sign": [("checks/checker.cpp", "if (a.sign) return fault(", "if (false) return fault(")],
    "hole-entry-function-is-null": [
        (f"{GUEST}/helpers/helpers_flow.cpp", "function_start(function)", "(function)"),
        (f"{GUEST}/helpers/helpers_map.cpp", "function_start(function)", "(function)"),
        (f"{GUEST}/helpers/bounds.cpp", "function_value(one.start) == value", "one.start == value"),
    ],
}


def candidates() -> Iterator[Mutant]:
    """Every place where an operator fits, in the order of files and lines."""
    for path in sorted(one for folder in FOLDERS for one in (NATIVE / folder).glob("*.cpp")):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.lstrip().startswith(("//", "#")) or "fault(" in line or lines.count(line) != 1:
                continue
            file = path.relative_to(NATIVE).as_posix()
            for operator, pattern, new in OPERATORS:
                for found in re.finditer(pattern, line.partition(" // ")[0]):
                    changed = line[: found.start()] + new + line[found.end() :]
                    yield Mutant(
                        name=_name(file, number, f"{operator}{found.start()}", line),
                        file=file,
                        changes=((line, changed),),
                    )
            if DROPPED.match(line):
                yield Mutant(name=_name(file, number, "dropped", line), file=file, changes=((line, ""),))


def _name(file: str, number: int, operator: str, line: str) -> str:
    """Stable when other lines move; the line's number is for people."""
    digest = hashlib.sha256(line.encode()).hexdigest()[:6]
    return f"{Path(file).stem}:{operator}:{digest}:{number + 1}"


def chosen() -> list[Mutant]:
    """Those with the lowest digests: spread over the files, and the same ones where their lines are the same."""
    by_digest = sorted(candidates(), key=lambda one: hashlib.sha256(_without_line(one.name).encode()).digest())
    return sorted(by_digest[:MOST], key=lambda one: (one.file, one.name))


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """Where mutants are built and tried."""

    folder: Path

    def compile(self, mutant: Mutant) -> list[Path]:
        """The objects of a mutant, or none if it does not compile."""
        edits = {mutant.file: list(mutant.changes)}
        for file, old, new in OPENED.get(mutant.name, ()):
            edits.setdefault(file, []).append((old, new))
        objects = [self._object(file, changes) for file, changes in edits.items()]
        return [one for one in objects if one is not None] if None not in objects else []

    def _object(self, file: str, changes: Sequence[tuple[str, str]]) -> Path | None:
        text = (NATIVE / file).read_text()
        for old, new in changes:
            if text.count(old) != 1:
                raise SystemExit(f"{file} does not have this text once: {old}")
            text = text.replace(old, new)
        source = self.folder / Path(file).name
        source.write_text(text)
        flags = ["-std=gnu++20", "-O1", "-w", f"-I{ROOT}"]
        command = ["clang++-19", *flags, "-c", str(source), "-o", str(source.with_suffix(".o"))]
        done = subprocess.run(command, capture_output=True, check=False)
        return source.with_suffix(".o") if done.returncode == 0 else None

    def link(self, target: str, objects: Sequence[Path]) -> Path:
        """The executable with the mutant's objects in front of the library's."""
        said = subprocess.run(
            ["ninja", "-C", BUILD, "-t", "commands", target], capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
        words = shlex.split(said.removeprefix(": && ").removesuffix(" && :"))
        at = words.index("-o")
        words[at + 1] = str(self.folder / target)
        subprocess.run([*words[:at], *map(str, objects), *words[at:]], cwd=BUILD, check=True)
        return self.folder / target

    def noticed_by(self, mutant: Mutant, generator_only: bool) -> str:
        """Who noticed; empty if nobody did."""
        objects = self.compile(mutant)
        if not objects:
            return "compiler"
        for name, notices in self._judges(generator_only or mutant.file.startswith(GUEST)):
            if notices(objects):
                return name
        return ""

    # Faults of the guest (holes that were in it) are seen by running it.
    def _judges(self, generator_only: bool) -> list[tuple[str, Callable[[Sequence[Path]], bool]]]:
        generator = [
            ("generator", lambda objects: self._fails([self.link("test_soundness", objects), "--programs", PROGRAMS]))
        ]
        if generator_only:
            return generator
        return [
            ("cases", self._cases_fail),
            *generator,
            ("laws", lambda objects: self._fails([self.link("test_analyser", objects)])),
        ]

    def _cases_fail(self, objects: Sequence[Path]) -> bool:
        self.link("unibpf-analyse", objects)
        for one in (ROOT / "build" / "bin").iterdir():
            link = self.folder / one.name
            if not link.exists():
                link.symlink_to(one)
        tests = "tests/unit/services/verifier/native/test_cases.py"
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests]
        return self._fails(command, {"UNIBPF_BIN": str(self.folder)})

    def _fails(self, command: Sequence[str | Path], settings: dict[str, str] | None = None) -> bool:
        try:
            done = subprocess.run(
                command, capture_output=True, cwd=ROOT, env={**os.environ, **(settings or {})}, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0


def survivors() -> dict[str, str]:
    """Those that are known, with their reasons; a line each, `NAME REASON`. Line numbers do not count."""
    lines = [line for line in SURVIVORS.read_text().splitlines() if line and not line.startswith("#")]
    return {_without_line(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in lines}


def _without_line(name: str) -> str:
    return name.rpartition(":")[0] if name.count(":") == 3 else name  # file, operator, digest, line


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soundness.mutants", description=__doc__)
    parser.add_argument("--share", default="1/1", help="of the mutants, every Nth from the Ith on, `I/N`")
    parser.add_argument("--only", default="", help="mutants whose name holds this text")
    parser.add_argument("--list", action="store_true", help="print the mutants and their changes")
    parser.add_argument("--holes", action="store_true", help="the holes put back, and only the generator may notice")
    given = parser.parse_args()
    part, parts = map(int, given.share.split("/"))
    mutants = list(HOLES) if given.holes else [*HOLES, *chosen()]
    mutants = [one for one in mutants if given.only in one.name][part - 1 :: parts]
    if given.list:
        for one in mutants:
            print(one.name, *(f"\n  - {old.strip()}\n  + {new.strip()}" for old, new in one.changes))
        return 0
    folder = ROOT / "build" / "mutants"
    folder.mkdir(parents=True, exist_ok=True)
    known, results = survivors(), {}
    for one in mutants:
        started = time.monotonic()
        results[one.name] = Laboratory(folder=folder).noticed_by(one, given.holes) or "nobody"
        print(f"{results[one.name]:10} {one.name} ({time.monotonic() - started:.0f} s)", flush=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    new = [name for name, who in results.items() if who == "nobody" and _without_line(name) not in known]
    print(
        f"{len(results)} mutants, {sum(who != 'nobody' for who in results.values())} noticed, {len(new)} new survivors"
    )
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
