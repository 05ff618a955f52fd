"""A second opinion on the same program, when another verifier is installed (`unibpf verify --also prevail`)."""

from pathlib import Path
from typing import Any, Final

import msgspec

from unibpf.cli.output import Exit, fail
from unibpf.cli.reports.text import Verified
from unibpf.host import fence
from unibpf.messages.reports import SecondOpinion
from unibpf.push import second_opinion

KNOWN: Final = second_opinion.KNOWN


class Opinion(SecondOpinion, frozen=True, kw_only=True):
    """What the other verifier made of one program of the file."""

    program: str

    def sentence(self) -> str:
        """One line for people."""
        verdict = {True: "accepts", False: "refuses", None: "came to no end with"}[self.accepts]
        relation = "as this verifier does" if self.agrees else "unlike this verifier"
        said = f": {self.said}" if self.said and not self.accepts else ""
        return f"{self.verifier} {verdict} `{self.program}`{'' if self.accepts is None else f', {relation}'}{said}"


def find(name: str) -> Path:
    """Return the executable of that verifier, or end with what is missing."""
    found = second_opinion.find(name)
    if found is None:
        fail(Exit.USAGE, *second_opinion.missing(name))
    return found


def ask(executable: Path, target: Path, one: Verified, *, changed: bool = False) -> Opinion:
    """Run the other verifier on one program; of one that is `changed` by options it can say nothing."""
    if changed:
        opinion = second_opinion.none(executable.name, second_opinion.WITHOUT_LOADER)
    else:
        opinion = _ask(executable, second_opinion.command(executable, target, one.section, one.function), one)
    fields = {name: getattr(opinion, name) for name in SecondOpinion.__struct_fields__}
    return Opinion(**fields, program=one.program or target.name)


def _ask(executable: Path, command: list[str], one: Verified) -> SecondOpinion:
    name = executable.name
    try:
        folder = Path(command[1]).resolve().parent
        reach = second_opinion.reach(Path(command[0]), folder)
        done = fence.run(
            command, second_opinion.LIMITS, environment=second_opinion.ENVIRONMENT, folder=Path.cwd(), reach=reach
        )
    except TimeoutError:
        return second_opinion.too_slow(name, second_opinion.LIMITS)
    except fence.AnswerTooLongError as error:
        return second_opinion.none(name, str(error))
    except OSError as error:
        return second_opinion.none(name, str(error.strerror))
    said = (text.decode(errors="replace") for text in (done.output, done.said))
    return second_opinion.of_exit(name, one.verdict, done.status, *said)


def with_opinions(output: bytes, opinions: list[Opinion]) -> str:
    """Return the verifier's JSON with the opinions under `also`, one for each program in their order."""
    if not opinions:
        return output.decode()
    document: dict[str, Any] = msgspec.json.decode(output)
    return msgspec.json.encode({**document, "also": opinions}).decode()
