"""`python -m benchmarks.corpus [--json]`: our verdict and the kernel's on XDP programs that exist, with their costs.

Needs to load programs into the kernel (CAP_BPF). The verdicts are facts about two verifiers, no demanded figures: the exit
code says only that the comparison ran. What must not differ is in tests/conformance/test_kernel_agrees.py.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import verifier
from benchmarks.figures import Figure, percentile, table
from tests.lab.corpus import OurVerdict, Sample, gather, judge, judge_bundle, kernel_cases
from tests.support.kernel import kernel_oracle
from tests.support.kernel.kernel_cases import KernelCase
from tests.support.kernel.kernel_loader import KernelVerdict, load, load_bundle
from unibpf.host.settings import binary_directory

CASES: Final = "verifier case"
_HEAD: Final = """# The verifier on XDP programs that exist

Written by `python -m benchmarks.corpus > docs/corpus.md`, not by hand. Our own programs are judged for `guest`, those of others
and those in the styles of operators for `linux-xdp` and, as rewriters, for `guest` too; the kernel is that of the machine which
wrote this. Maps of others that have no size get 64 entries, for both, as a loader would size them. CPU time and memory are the
whole analyser process's, for the first of these platforms."""
# Why we refuse what the kernel loads: this does not exist here, whatever the program does with it.
NOT_OFFERED: Final = {
    "helper-unknown": "the program calls a helper of Linux that the platform does not have",
    "malformed": "the program has a map whose type, flags or sizes the platform does not have",
    "map-type": "the program has a map of a type that the platform does not have",
    "map-size": "the program has a map that is larger than the platform's may be",
    "helper-option": "the program asks a helper for what it does not do there",
    "map-values": "a map says nothing of the maps in it",
    "legacy-maps": "a map says nothing of the maps in it",
    "core-relocation": "the layout of a kernel's own type cannot be known without that kernel",
    "kfunc-call": "functions of the kernel are no part of any platform here",
    "extern-symbol": "functions of the kernel are no part of any platform here",
    "section-unknown": "the hooks of devmaps and cpumaps exist on Linux only",
}
# Why we refuse what the kernel loads, where it is a choice of ours.
POLICY: Final = {
    "pointer-leak": "addresses must not leak; the kernel lets a privileged loader do it",
    "return-value": "addresses must not leak; the kernel lets a privileged loader do it",
    "stack-depth": "tail calls out of subprograms that nest; the kernel keeps stack for 33 of them",
}
# Why the kernel refuses what we call safe, by a part of the program's name and the kernel's last word. What it says of memory
# is explained program by program: a new one has to be looked at.
KERNEL_ONLY: Final = {
    "errno 9": "libbpf loads one program for this table, and cannot put the others of its chain into the program array",
    "errno 22": "a loader makes all maps of an object, our front end those that the program names",
    "libbpf cannot open": "a question of form: libbpf wants more of an object than programs and maps",
    "combined stack size": "8 frames of 512 bytes are a guest's limit, Linux gives 512 bytes to all frames together",
    "calls: spill into caller stack frame": "the address of a frame is kept in that frame itself: it cannot outlive it",
    "XDP pkt read, pkt_end mangling, bad access 2": "the kernel follows no arithmetic on `data_end`, distances prove it",
    "meta access, test": "metadata begins at most 256 bytes before `data`; the distances to it and to `data_end` prove it",
    "loops.c:from_the_end": "the kernel follows no arithmetic on `data_end`, distances prove it",
    "shapes.c:minimum": "the bounds of `n` give those of `31 - n`",
    "shapes.c:arithmetic": "a remainder is less than its divisor",
    "tables.c:heavy_hitters_by_modulo": "a remainder is less than its divisor",
    "operators/csum_variable.c": "the kernel follows no such pointer plus a number to its test against `data_end`",
    "operators/tcp_options.c": "the kernel follows no such pointer plus a number to its test against `data_end`",
    "operators/bpf_loop_options.c": "the offset has an upper bound, which the kernel forgets where the callback wrote it",
    "tcp.c:timestamp_option": "the difference of two ends relates the pointer to both",
    "GPL-restricted": "a question of licence, not of safety: guests have none",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One program, both verdicts."""

    source: str
    name: str
    ours: OurVerdict
    kernel: KernelVerdict
    guest: OurVerdict | None = None  # of a program that `ours` judges for another platform

    @property
    def why(self) -> str:
        """One line on a difference; empty where both agree."""
        if self.ours.safe == self.kernel.loads:
            return ""
        if self.kernel.loads:
            return (NOT_OFFERED | POLICY).get(self.ours.rule, f"FALSE REFUSAL: {self.ours.message}")
        known = (text for part, text in KERNEL_ONLY.items() if part in f"{self.name}: {self.kernel.reason}")
        return next(known, f"ACCEPTED BY US ONLY: {self.kernel.reason}")


def compare() -> tuple[list[Row], list[str]]:
    """Return a row for every program, and the sources that this machine lacks."""
    analyser = binary_directory(os.environ) / "unibpf-analyse"
    found = gather()
    rows = [_object(sample, analyser) for sample in found.samples]
    return rows + [_case(case, analyser) for case in kernel_cases()], found.missing


def _object(sample: Sample, analyser: Path) -> Row:
    kernel = load(sample.data, sample.function, sample.setting)
    guest = judge(sample, analyser, "guest") if sample.platform != "guest" else None
    return Row(source=sample.source, name=sample.name, ours=judge(sample, analyser), kernel=kernel, guest=guest)


def _case(case: KernelCase, analyser: Path) -> Row:
    ours = judge_bundle(case.bundle, "linux-xdp", analyser)
    return Row(source=CASES, name=case.description, ours=ours, kernel=load_bundle(case.bundle))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of Markdown")
    chosen = parser.parse_args(arguments)
    if not kernel_oracle.available():
        print("error: loading programs into the kernel needs CAP_BPF", file=sys.stderr)
        return 1
    rows, missing = compare()
    costs = verifier.figures()
    print(json.dumps(document(rows, missing, costs), indent=1) if chosen.json else markdown(rows, missing, costs))
    return 0


def document(rows: Sequence[Row], missing: Sequence[str], costs: Sequence[Figure] = ()) -> dict[str, Any]:
    """The same as JSON."""
    programs = [
        {
            "source": row.source,
            "program": row.name,
            "ours": asdict(row.ours),
            "kernel": asdict(row.kernel),
            "guest": asdict(row.guest) if row.guest else None,
        }
        | {"why": row.why}
        for row in rows
    ]
    return {"programs": programs, "missing": list(missing), "costs": [asdict(cost) for cost in costs]}


def markdown(rows: Sequence[Row], missing: Sequence[str], costs: Sequence[Figure] = ()) -> str:
    """The table, the differences by reason, the summary, what a verification costs."""
    head = (
        "| source | program | ours | rule | in a guest | CPU ms | peak MiB | kernel | load ms |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    parts = [_HEAD, "", "### Programs", "", head, *(_line(row) for row in rows if row.source != CASES), ""]
    parts += [
        "### Differences",
        "",
        "| accepted by | programs | why | for example |",
        "|---|---|---|---|",
        *_differences(rows),
        "",
    ]
    cases = [row for row in rows if row.source == CASES]
    parts += [table("Summary of the programs", _summary([row for row in rows if row.source != CASES]))]
    parts += [table("Summary of the XDP cases of the kernel's own verifier tests", _summary(cases))] if cases else []
    parts += [table("What a verification costs", costs)] if costs else []
    return "\n".join([*parts, *(f"missing: {one}" for one in missing)])


def _line(row: Row) -> str:
    ours, kernel = row.ours, row.kernel
    cost = f"{ours.cpu_ms:.2f} | {ours.peak_kib / 1024:.1f}" if ours.peak_kib else "- | -"
    loads = "loads" if kernel.loads else f"refuses: {kernel.reason[:90].replace('|', '/')}"
    name = row.name
    inside = "" if row.guest is None else f"{row.guest.verdict} {row.guest.rule}".strip()
    return f"| {row.source} | `{name}` | {ours.verdict} | {ours.rule} | {inside} | {cost} | {loads} | {kernel.load_ms:.1f} |"


def _differences(rows: Sequence[Row]) -> list[str]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.why:
            grouped.setdefault(("us" if row.ours.safe else "kernel", row.why), []).append(row.name)
    return [f"| {who} only | {len(names)} | {why} | `{names[0]}` |" for (who, why), names in sorted(grouped.items())]


def _summary(rows: Sequence[Row]) -> list[Figure]:
    both = [row for row in rows if row.ours.safe and row.kernel.loads]
    offered = [row for row in rows if row.kernel.loads and row.ours.rule not in NOT_OFFERED | POLICY]
    counts = {
        "accepted by both": len(both),
        "refused by both": sum(not row.ours.safe and not row.kernel.loads for row in rows),
        "accepted by the kernel only": sum(not row.ours.safe and row.kernel.loads for row in rows),
        "accepted by us only": sum(row.ours.safe and not row.kernel.loads for row in rows),
    }
    inside = [row for row in rows if row.guest is not None and row.kernel.loads]
    could = [row for row in inside if row.guest and row.guest.rule not in NOT_OFFERED | POLICY]
    there = [row for row in could if row.guest and row.guest.safe]
    guest = [
        Figure(name="accepted for guests of the programs for Linux that the kernel accepts and that could run there", unit="%",
               value=100 * len(there) / max(1, len(could)), how=f"{len(there)} of {len(could)}, of {len(inside)} in all"),
    ] if inside else []  # fmt: skip
    cpu = [row.ours.cpu_ms for row in rows if row.ours.peak_kib]
    kernel = [row.kernel.load_ms for row in both]
    return [
        *(Figure(name=name, value=count, unit="programs") for name, count in counts.items()),
        Figure(name="accepted of those the kernel accepts and that could run here", unit="%",
               value=100 * len(both) / max(1, len(offered)), how=f"{len(both)} of {len(offered)}"),
        *guest,
        Figure(name="analyser CPU, p50", value=percentile(cpu, 0.5), unit="ms", limit=2, how=f"{len(cpu)} programs"),
        Figure(name="analyser CPU, p95", value=percentile(cpu, 0.95), unit="ms", limit=20),
        Figure(name="analyser CPU, worst", value=max(cpu), unit="ms", limit=1000),
        Figure(name="analyser memory, worst", value=max(row.ours.peak_kib for row in rows) / 1024, unit="MiB"),
        Figure(name="kernel load, p50", value=percentile(kernel, 0.5), unit="ms", how="libbpf, maps included"),
        Figure(name="kernel load, p95", value=percentile(kernel, 0.95), unit="ms"),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
