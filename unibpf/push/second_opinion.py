"""Other verifiers of the same program: how they are called, and what their answer is worth.

`kernel` is the Linux kernel of this machine, which gets the bundle (kernel_opinion.py); the others read the object.

PREVAIL's command line is `prevail OBJECT SECTION FUNCTION` (`check` in its older releases); it ends with 0 when it accepts
the program. Sections of this project (`unibpf/filter`) mean nothing to it: it then chooses a program type by itself, so
compare programs of section `xdp`. An opinion stands beside the verdict and never changes it; the signer's policy may demand
one that agrees. Whoever runs the command does so within LIMITS; this module starts nothing.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from unibpf.host import seccomp
from unibpf.host.fence import Limits, Reach
from unibpf.messages.reports import SecondOpinion, VerdictKind
from unibpf.text import visible

KERNEL: Final = "kernel"
KNOWN: Final = ("prevail", KERNEL)
NAMES: Final = {"prevail": ("prevail", "check")}
DIED_IN_SHELL: Final = 128  # plus the signal's number
MAX_SAID: Final = 200
# PREVAIL takes seconds and hundreds of MiB for what the own analyser does in milliseconds.
LIMITS: Final = Limits(cpu_seconds=30, wall_seconds=60.0, memory_bytes=2 << 30, file_bytes=1 << 20)
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin"}
WITHOUT_LOADER: Final = "not asked: it reads the object, without what a loader sets"


def find(name: str) -> Path | None:
    """Return the executable of that verifier."""
    found = next(filter(None, map(shutil.which, NAMES[name])), None)
    return Path(found) if found else None


def missing(name: str) -> tuple[str, str]:
    """Say what is not there, and what to do about it."""
    names = " nor ".join(f"`{candidate}`" for candidate in NAMES[name])
    return f"neither {names} is on PATH", "build PREVAIL (github.com/vbpf/prevail) and put it there"


def command(executable: Path, target: Path, section: str, function: str) -> list[str]:
    """Return the call for one program. A program that we could not name is asked for without a name."""
    return [str(executable), str(target), *(word for word in (section, function) if word)]


def reach(executable: Path, folder: Path) -> Reach:
    """Return what it may touch: its natural reach, and to read the folder of the object."""
    natural = Reach.natural(executable)
    return replace(natural, reads=(*natural.reads, folder), calls=seccomp.TOOLS)


def of_exit(verifier: str, verdict: VerdictKind, status: int, stdout: str, stderr: str) -> SecondOpinion:
    """Return the opinion of a verifier that ended; a signal ended one that has none (above 128: as a shell around it says so).

    Of one that accepts nothing else is kept: PREVAIL says its time then, and a report is the same for the same program.
    """
    accepts = None if status < 0 or status > DIED_IN_SHELL else status == 0
    return SecondOpinion(
        verifier=verifier,
        accepts=accepts,
        agrees=accepts is not None and accepts == (verdict == "safe"),
        said="" if accepts else _last_line(stderr) or _last_line(stdout),
    )


def none(verifier: str, why: str) -> SecondOpinion:
    """Return what stands for a verifier that came to no end."""
    return SecondOpinion(verifier=verifier, accepts=None, agrees=False, said=why[:MAX_SAID])


def too_slow(verifier: str, limits: Limits) -> SecondOpinion:
    """Return what stands for a verifier that was ended by the clock."""
    return none(verifier, f"no answer within {limits.wall_seconds:g} s")


def sentence(opinion: SecondOpinion, program: str) -> str:
    """One line for people."""
    verdict = {True: "accepts", False: "refuses", None: "cannot say of"}[opinion.accepts]
    relation = "" if opinion.accepts is None else f", {'as' if opinion.agrees else 'unlike'} this verifier"
    relation += " does" if opinion.agrees else ""
    said = f": {opinion.said}" if opinion.said and not opinion.accepts else ""
    return visible(f"{opinion.verifier} {verdict} `{program}`{relation}{said}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:MAX_SAID]
