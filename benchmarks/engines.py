"""Engines: the same programs on the same packet in the interpreter, the JIT, the Linux kernel, and compiled for the host.

Every engine repeats a run on the packet as the run before left it (what BPF_PROG_TEST_RUN does), with a fresh context each
time, and the repetitions are timed as one. `unibpf-run` does it as an element does a batch: one machine, whose context is set
anew for each packet (`Machine::begin`); the harness of the host's code does the same with its context. Rounds go through all
engines in turn, so that a busy host is busy for all, and are short and many, so that some of each engine's fall into a quiet
moment; what is shown is the fastest round, and ratios are of one run of this benchmark. A figure counts only if all engines
came to the same verdict and the same packet; otherwise there is none.
"""

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.document import progress
from benchmarks.figures import Figure
from tests.support.kernel import kernel_oracle
from tests.support.programs.checksums import with_checksums
from tests.support.programs.vnf import bundle_of, ipv4
from unibpf.formats.bundle import decode
from unibpf.host.settings import REPOSITORY, binary_directory
from unibpf.push.compile import find_compiler

ROUNDS: Final = 25
ROUND_NS: Final = 8e6  # of each program and engine
CALIBRATION: Final = 10_000  # runs
HARNESS: Final = REPOSITORY / "benchmarks/native"
NATIVE, JIT, KERNEL, INTERPRETER = "native", "JIT", "kernel", "interpreter"
ENGINES: Final = (NATIVE, JIT, KERNEL, INTERPRETER)
WEIGHED: Final = ("match", "NAT", "hash")  # the rows that geometric means are made of
PACKET: Final = with_checksums(ipv4(protocol=17, port=5353, payload=64))


class DisagreementError(Exception):
    """Two engines came to different ends: no time of either means anything."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program and its function; `what` is for people."""

    name: str
    source: str
    entry: str
    what: str
    defines: Sequence[str] = ()


PROGRAMS: Final = (
    Program(name="pass", source="benchmarks/programs/pass.c", entry="pass", what="nothing but the call"),
    Program(name="match", source="benchmarks/programs/match.c", entry="match", what="parse, then 16 rules, the last matches"),
    Program(name="NAT", source="benchmarks/programs/nat.c", entry="nat", what="source NAT, both checksums, a lookup"),
    Program(name="hash", source="benchmarks/programs/hash.c", entry="hash", what="loop over 64 bytes"),
    Program(name="firewall", source="vnfs/firewall/program.c", entry="firewall", what="catalogue, no rule matches"),
    Program(name="rate limiter", source="vnfs/ratelimit/program.c", entry="ratelimit", defines=("RATE=1", "BURST=1"),
            what="catalogue, one source, over its rate"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One timing of one engine: mean ns of a run, and what came out."""

    ns: float
    code: int
    packet: str


Timer = Callable[[int], Timing]  # by number of runs


@dataclass(kw_only=True)
class Row:
    """A program's best times (ns) by engine."""

    program: Program
    ns: dict[str, float] = field(default_factory=dict)

    def ratio(self, engine: str) -> float:
        """How many times as long as native code it takes."""
        return self.ns[engine] / self.ns[NATIVE]


def measure() -> list[Row]:
    """Measure all programs."""
    rows = []
    for program in PROGRAMS:
        with ExitStack() as stack:
            rows.append(Row(program=program, ns=best_times(timers(program, stack))))
        progress(f"engines on {program.name}: " + ", ".join(f"{name} {ns:.1f} ns" for name, ns in rows[-1].ns.items()))
    return rows


def best_times(timers: dict[str, Timer]) -> dict[str, float]:
    """Each engine's fastest round; raises DisagreementError."""
    repeats = {name: max(1, int(ROUND_NS / timer(CALIBRATION).ns)) for name, timer in timers.items()}
    rounds = [{name: timer(repeats[name]) for name, timer in timers.items()} for _ in range(ROUNDS)]
    ends = {name: (timing.code, timing.packet) for one in rounds for name, timing in one.items()}
    if len(set(ends.values())) != 1:
        raise DisagreementError(f"engines do not agree: {ends}")
    return {name: min(one[name].ns for one in rounds) for name in timers}


def timers(program: Program, stack: ExitStack) -> dict[str, Timer]:
    """What times each engine on a program; the kernel only where it lets this process load programs."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    bundle = bundle_of(REPOSITORY / program.source, *program.defines)
    (folder / "bundle").write_bytes(bundle)
    runner = [str(binary_directory(os.environ) / "unibpf-run"), str(folder / "bundle"), "--packet", PACKET.hex()]
    runner += ["--in-place", "--json", "--repeat"]
    found: dict[str, Timer] = {
        NATIVE: command_timer([str(compiled(program, folder)), PACKET.hex()]),
        JIT: command_timer(runner, "--engine", "jit"),
        INTERPRETER: command_timer(runner, "--policy", "trusting"),
    }
    if kernel_oracle.available():
        found[KERNEL] = kernel_timer(stack.enter_context(kernel_oracle.Oracle(bundle=decode(bundle))))
    return {name: found[name] for name in ENGINES if name in found}


def compiled(program: Program, folder: Path) -> Path:
    """The program for the host, with the same optimisation as the object's."""
    command = [find_compiler(), "-O2", "-Wall", f"-I{HARNESS}", f"-I{REPOSITORY / 'vnfs'}", f"-DENTRY={program.entry}"]
    command += [f'-DPROGRAM="{REPOSITORY / program.source}"', *(f"-D{one}" for one in program.defines)]
    command += [str(HARNESS / "harness.c"), "-o", str(folder / "native")]
    subprocess.run(command, check=True)
    return folder / "native"


def command_timer(command: Sequence[str], *last: str) -> Timer:
    """A timer of a command that takes the number of runs and answers with JSON."""

    def time(repeat: int) -> Timing:
        done = subprocess.run([*command, str(repeat), *last], capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        return Timing(ns=max(answer["ns"], 0.1), code=answer["verdict_code"], packet=answer["packet"])

    return time


def kernel_timer(oracle: kernel_oracle.Oracle) -> Timer:
    """A timer of BPF_PROG_TEST_RUN, by the kernel's own count: whole nanoseconds, rounded down."""

    def time(repeat: int) -> Timing:
        run = oracle.run(PACKET, repeat)
        return Timing(ns=max(run.ns, 1), code=run.code, packet=run.packet.hex())

    return time


# --- what is shown --------------------------------------------------------------------------------------------------------


def matrix(rows: Sequence[Row]) -> str:
    """The table of times: a row a program, a column an engine, ns and in brackets the ratio to native."""
    lines = ["### Engines, ns per packet (times native)", "", f"| program | {' | '.join(ENGINES)} | what |"]
    lines.append("|---" * (len(ENGINES) + 2) + "|")
    for row in rows:
        lines.append(f"| {row.program.name} | {' | '.join(cell(row, name) for name in ENGINES)} | {row.program.what} |")
    return "\n".join([*lines, ""])


def cell(row: Row, engine: str) -> str:
    """One time, or a dash where the engine was not there."""
    if engine not in row.ns:
        return "-"
    return f"{row.ns[engine]:.1f}" + ("" if engine == NATIVE else f" ({row.ratio(engine):.2f})")


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def figures(rows: Sequence[Row]) -> list[Figure]:
    """What is demanded of the engines."""
    weighed = [row for row in rows if row.program.name in WEIGHED]
    first = next(row for row in rows if row.program.name == "pass")
    how = f"geometric mean of {', '.join(WEIGHED)}; best of {ROUNDS} rounds"
    found = [
        Figure(name="JIT, times native", value=geometric_mean([row.ratio(JIT) for row in weighed]), unit="x", limit=1.3,
               how=how),
        Figure(name="interpreter, times native", value=geometric_mean([row.ratio(INTERPRETER) for row in weighed]), unit="x",
               limit=15, how=how),
        Figure(name="JIT, `pass`", value=first.ns[JIT], unit="ns", limit=2.8, how="the call and its context"),
    ]  # fmt: skip
    long = [row for row in rows if KERNEL in row.ns and max(row.ns[KERNEL], row.ns[JIT]) > 20]
    if long:
        worst = max(long, key=lambda row: row.ns[JIT] / row.ns[KERNEL])
        found.append(
            Figure(name="JIT, times the kernel's, worst row above 20 ns", value=worst.ns[JIT] / worst.ns[KERNEL], unit="x",
                   limit=1, how=f"{worst.program.name}; both gross: the cost of any run is in `pass`")
        )  # fmt: skip
    return found
