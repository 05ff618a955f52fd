"""A second opinion: PREVAIL on the same program, when it is installed (`unibpf verify --also prevail`).

PREVAIL's command line is `prevail OBJECT SECTION FUNCTION` (`check` in its older releases); it ends with 0 when it accepts
the program. Sections of this project (`unibpf/filter`) mean nothing to it: it then chooses a program type by itself, so
compare programs of section `xdp`. The opinion is reported beside the verdict and never changes it.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from unibpf.cli.output import Exit, fail
from unibpf.cli.report import Verified

KNOWN: Final = ("prevail",)
_NAMES: Final = {"prevail": ("prevail", "check")}
TIMEOUT_SECONDS: Final = 60
MAX_SAID: Final = 200


class Opinion(Struct, frozen=True, kw_only=True):
    """What the other verifier made of one program; `accepts` is None when it came to no end."""

    verifier: str
    program: str
    accepts: bool | None
    agrees: bool
    said: str = ""

    def sentence(self) -> str:
        """One line for people."""
        verdict = {True: "accepts", False: "refuses", None: "came to no end with"}[self.accepts]
        relation = "as this verifier does" if self.agrees else "unlike this verifier"
        said = f": {self.said}" if self.said and not self.accepts else ""
        return f"{self.verifier} {verdict} `{self.program}`{'' if self.accepts is None else f', {relation}'}{said}"


def find(name: str) -> Path:
    """Return the executable of that verifier, or end with what is missing."""
    found = next(filter(None, map(shutil.which, _NAMES[name])), None)
    if found is None:
        names = " nor ".join(f"`{candidate}`" for candidate in _NAMES[name])
        fail(Exit.USAGE, f"neither {names} is on PATH", "build PREVAIL (github.com/vbpf/prevail) and put it there")
    return Path(found)


def ask(executable: Path, target: Path, one: Verified) -> Opinion:
    """Run the other verifier on one program. A program that we could not name is asked for without a name."""
    command = [str(executable), str(target), *(word for word in (one.section, one.function) if word)]
    accepts: bool | None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_SECONDS, check=False
        )
        accepts = None if done.returncode < 0 else done.returncode == 0
        said = _last_line(done.stderr) or _last_line(done.stdout)
    except subprocess.TimeoutExpired:
        accepts, said = None, f"no answer within {TIMEOUT_SECONDS} s"
    except OSError as error:
        accepts, said = None, str(error.strerror)
    return Opinion(
        verifier=executable.name,
        program=one.program or target.name,
        accepts=accepts,
        agrees=accepts is not None and accepts == (one.verdict == "safe"),
        said=said,
    )


def with_opinions(output: bytes, opinions: list[Opinion]) -> str:
    """Return the verifier's JSON with the opinions under `also`, one for each program in their order."""
    if not opinions:
        return output.decode()
    document: dict[str, Any] = msgspec.json.decode(output)
    return msgspec.json.encode({**document, "also": opinions}).decode()


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1][:MAX_SAID]
