"""Byte flips, cuts and splices of real objects through the front end: an Answer every time, and soon.

Run as `python tests/fuzz/fuzz_frontend.py [SECONDS] [SEED]`. Prints how many inputs ended how; any exception other than the
front end's own tree ends the run with its seed, so that it can be repeated. Where `atheris` is installed and no seed is
given, coverage guides the changes instead, and what breaks the front end is left in the working directory as `crash-*`.
"""

import random
import sys
import time
from collections import Counter
from pathlib import Path

from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.programs.bad_objects import DEFECTS, make
from tests.support.programs.programs import compiled, refused_programs
from unibpf.push import loading

try:
    import atheris
except ImportError:
    atheris = None

SLOW_SECONDS = 1.0
LEARNED = Path(__file__).parents[2] / "build" / "fuzz" / "corpus" / "frontend"
GOOD = ("pass", "parse", "maps", "globals", "subprograms", "several", "classifier")
SETTABLE = ("settings", "settings_decide", "sized_by_loader", "ruled_out")
# What is set in them, a word of each kind at a time; in other objects it names nothing.
WORDS = {
    "constants": [
        "limit=1",
        "cfg.rules[1].high=17",
        "cfg.bytes[3]=1",
        "name=text:a",
        "mode=MODE_TX",
        "grid[1][2]=9",
        "at=1",
    ],
    "max_entries": ["flows=16", "events=5000", "tables=9", "tables.inner=3"],
    "inner_maps": ["tables=first", "tables:3=second"],
}
REFERRING = ("tails", "outer", "callback", "kinds_of_maps", "wire_types")
SMALL_DEFECTS = [name for name in DEFECTS if name != "above-the-size-cap"]


def corpus() -> list[bytes]:
    """Good objects, refused ones and broken ones."""
    names = (*GOOD, *REFERRING, *3 * SETTABLE, *refused_programs())
    return [compiled(name) for name in names] + [make(name) for name in SMALL_DEFECTS]


def mutate(source: random.Random, seeds: list[bytes]) -> bytes:
    """One seed with a few changes."""
    data = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 4)):
        if not data:
            break
        at = source.randrange(len(data))
        match source.randrange(5):
            case 0:
                data[at] ^= 1 << source.randrange(8)
            case 1:
                data[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                data[at : at + 4] = source.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "little")
            case 3:
                del data[at : at + source.randint(1, 64)]
            case 4:
                other = source.choice(seeds)
                start = source.randrange(len(other)) if other else 0
                data[at : at + 64] = other[start : start + 64]
    return bytes(data)


def options(seed: int) -> Options:
    """Sometimes one word of each kind is set, as a loader would."""
    source = random.Random(~seed)
    words = {field: [source.choice(texts)] for field, texts in WORDS.items() if source.randrange(3) == 0}
    return Options(loading=loading.read(words))


def one(seed: int, seeds: list[bytes]) -> str:
    """Run one input; returns the rule it ended with, or `translated`."""
    data = mutate(random.Random(seed), seeds)
    started = time.perf_counter()
    try:
        answer = frontend.answer(data, options(seed))
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}") from error
    if time.perf_counter() - started > SLOW_SECONDS:
        raise AssertionError(f"seed {seed}: took {time.perf_counter() - started:.2f} s")
    return answer.finding.rule if answer.finding else "translated"


def guided(seconds: float) -> None:
    """Fuzz by coverage; ends the process, with 77 for an exception and 70 for an input that takes too long."""
    LEARNED.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus()):
        (LEARNED / f"seed-{number}").write_bytes(data)
    limits = [f"-max_total_time={seconds:.0f}", f"-timeout={10 * SLOW_SECONDS:.0f}", "-print_final_stats=1"]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *limits, str(LEARNED)], lambda data: frontend.answer(data, options(len(data))))
    atheris.Fuzz()


def run(seconds: float, first: int = 0) -> Counter[str]:
    """Fuzz for a while; returns how often each end was met."""
    seeds = corpus()
    ends: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    seed = first
    while time.monotonic() < deadline:
        ends[one(seed, seeds)] += 1
        seed += 1
    return ends


if __name__ == "__main__":
    duration = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    if atheris is not None and len(sys.argv) < 3:
        guided(duration)
    found = run(duration, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{sum(found.values())} inputs")
    for end, count in found.most_common():
        print(f"{count:8}  {end}")
