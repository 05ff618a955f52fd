"""What a verification costs: the largest program that was asked for, and the way to the analyser and back.

`python -m benchmarks.verifier` prints the table alone; `python -m benchmarks.corpus` prints it among the others. The analyser's
figures are CPU time and memory of its whole process, the rest is wall time: the front end in a warm worker as the service
calls it, and the command as a shell does.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, percentile, table
from benchmarks.firewall import RULES, firewall
from services.verifier.errors import Rejection
from services.verifier.frontend import frontend
from services.verifier.processes.analysis import Analyser, AnalyserOptions
from services.verifier.processes.worker import QUIET_SECONDS, Pool
from services.verifier.verification import Verification
from tests.lab.corpus import CACHE, Sample, judge_bundle, operators, own
from tests.support.programs.certificates import Tools
from unibpf.formats.bundle import BundleError
from unibpf.host import fenced
from unibpf.host.settings import REPOSITORY, binary_directory
from unibpf.push.compile import FLAGS, compile_c, find_compiler

ROUNDS: Final = 5
LARGE_RULES: Final = 520  # about 3,000 instructions
SPACING: Final = 6  # whole verifications wait for the next child: of every so many programs
SHORT: Final = 1_000  # instructions
SAMPLE: Final = REPOSITORY / "vnfs" / "firewall" / "program.c"


def figures() -> list[Figure]:
    """Measure everything."""
    large = firewall_object()
    translation = frontend.translate(large, frontend.Options())
    analyser = binary_directory(os.environ) / "unibpf-analyse"
    runs = [judge_bundle(translation.bundle, "guest", analyser) for _ in range(ROUNDS)]
    rules = f"{RULES} rules, {translation.instructions} instructions, {runs[0].verdict}"
    warm = asyncio.run(_warm(large))
    return [
        Figure(name="firewall, analyser CPU", value=min(run.cpu_ms for run in runs), unit="ms", limit=400, how=rules),
        Figure(name="firewall, analyser memory", value=runs[0].peak_kib / 1024, unit="MiB", limit=64),
        Figure(name="firewall, front end", value=warm["firewall"], unit="ms", how=f"object of {len(large) >> 10} KiB"),
        Figure(name="firewall, `unibpf verify`", value=_shell(large), unit="ms", how="from the shell"),
        *_certificates(),
        Figure(name="warm front end, p50", value=warm["p50"], unit="ms", limit=10, how="our own programs"),
        Figure(name="warm front end, p95", value=warm["p95"], unit="ms", limit=10),
        Figure(name="whole verification, p50", value=warm["whole p50"], unit="ms", limit=5,
               how="as the service does it: warm front end, analyser, certificate, report; wall time, best of 5"),
        Figure(name="whole verification, p95", value=warm["whole p95"], unit="ms"),
        Figure(name="whole verification, 3,000 instructions", value=warm["large"], unit="ms", limit=30,
               how=f"a firewall of {LARGE_RULES} rules"),
        Figure(name="whole verification, 10,000 rules", value=warm["largest"], unit="ms", limit=400, how=rules),
        Figure(name="`unibpf verify`", value=_shell(compile_c(SAMPLE)), unit="ms", limit=500,
               how=f"from the shell, {SAMPLE.relative_to(REPOSITORY)}"),
    ]  # fmt: skip


def _certificates() -> list[Figure]:
    """What proofs cost whoever writes and whoever checks them, over our own programs and those of operators."""
    tools = Tools(folder=binary_directory(os.environ))
    analysed, checked, sizes, refused = [], [], [], 0
    for one in (*own(), *operators()):
        bundle = _bundle_of(one)
        report, certificate = tools.analyse(bundle) if bundle else ({}, None)
        if bundle is None or certificate is None or report["instructions"] > SHORT:
            continue
        answer = tools.check(bundle, certificate)
        refused += answer["verdict"] != "accepted"
        analysed.append(report["cpu_ms"])
        checked.append(answer.get("cpu_ms", 0.0))
        sizes.append(len(certificate))
    how = f"{len(sizes)} programs that are safe for guests, up to {SHORT} instructions"
    return [
        Figure(name="certificates that the checker refuses", value=refused, unit="of them", limit=0, how=how),
        Figure(
            name="checker, of the analyser's CPU", value=sum(checked) / sum(analysed), unit="times", limit=3, how=how
        ),
        Figure(name="checker CPU, p95", value=percentile(checked, 0.95), unit="ms", how="whole process"),
        Figure(name="certificate, p50", value=percentile(sizes, 0.5), unit="bytes"),
        Figure(name="certificate, p95", value=percentile(sizes, 0.95), unit="bytes"),
    ]


def _bundle_of(one: Sample) -> bytes | None:
    """As a guest's; None where guests do not offer what it asks for."""
    try:
        options = frontend.Options(section=one.section, function=one.function, kind="rewriter", loading=one.loading)
        return frontend.translate(one.data, options).bundle
    except (Rejection, BundleError):
        return None


def firewall_object(rules: int = RULES) -> bytes:
    """The firewall of so many rules, compiled once for each version of its source."""
    source = firewall(rules)
    kept, target = CACHE / f"firewall{rules}.c", CACHE / f"firewall{rules}.o"
    if not target.exists() or not kept.exists() or kept.read_text() != source:
        CACHE.mkdir(parents=True, exist_ok=True)
        kept.write_text(source)
        # not by compile_c: that has no patience with programs of this size
        command = [find_compiler(), *FLAGS, "-I/usr/include/x86_64-linux-gnu", "-c", kept, "-o", target]
        subprocess.run(command, check=True)
    return target.read_bytes()


async def _warm(large: bytes) -> dict[str, float]:
    """Milliseconds in a worker that has its imports: of the firewall, and percentiles over our own programs."""
    pool, ahead = Pool(size=1, wall_seconds=60.0), fenced.Ahead(quiet=QUIET_SECONDS)
    try:
        await pool.warm()
        programs = [
            (one.data, frontend.Options(section=one.section, function=one.function, platform=one.platform))
            for one in (*own(), *operators())
        ]
        costs = [min([await _translated(pool, data, options) for _ in range(ROUNDS)]) for data, options in programs]
        firewall_ms = min([await _translated(pool, large, frontend.Options()) for _ in range(ROUNDS)])
        whole = [await _verified(pool, ahead, data, options) for data, options in programs[::SPACING]]
        large_ms = await _verified(pool, ahead, firewall_object(LARGE_RULES), frontend.Options())
        largest_ms = await _verified(pool, ahead, large, frontend.Options())
    finally:
        await pool.close()
        await ahead.close()
    return {
        "firewall": firewall_ms,
        "p50": percentile(costs, 0.5),
        "p95": percentile(costs, 0.95),
        "whole p50": percentile(whole, 0.5),
        "whole p95": percentile(whole, 0.95),
        "large": large_ms,
        "largest": largest_ms,
    }


async def _verified(pool: Pool, ahead: fenced.Ahead, data: bytes, options: frontend.Options) -> float:
    """The best of a few; the next child gets the time that it has between two pushes."""
    analyser = Analyser(
        executable=binary_directory(os.environ) / "unibpf-analyse",
        options=AnalyserOptions(),
        certificate=True,
        ahead=ahead,
    )
    verification = Verification(translate=pool.translate, analyser=analyser)
    found = []
    for _ in range(ROUNDS):
        await asyncio.sleep(2 * QUIET_SECONDS)
        started = time.perf_counter()
        await verification.verify(data, options)
        found.append(1e3 * (time.perf_counter() - started))
    return min(found)


async def _translated(pool: Pool, data: bytes, options: frontend.Options) -> float:
    started = time.perf_counter()
    await pool.translate(data, options)
    return 1e3 * (time.perf_counter() - started)


def _shell(data: bytes) -> float:
    """Milliseconds of one call, the best of a few."""
    with tempfile.TemporaryDirectory(prefix="unibpf-") as folder:
        target = Path(folder) / "program.o"
        target.write_bytes(data)
        command = [Path(sys.executable).parent / "unibpf", "verify", target]
        return min(_timed(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(ROUNDS))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)


if __name__ == "__main__":
    print(table("What a verification costs", figures()))
