"""Second opinions on the same program (`unibpf verify --also kernel`), as the verifier put them into its reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from unibpf.cli.reports.text import Verified
from unibpf.messages.reports import SecondOpinion
from unibpf.push import second_opinion


class Opinion(SecondOpinion, frozen=True, kw_only=True):
    """What another verifier made of one program of the file."""

    program: str

    def sentence(self) -> str:
        """One line for people."""
        return second_opinion.sentence(self, self.program)


def opinions(programs: Sequence[Verified], file: Path) -> list[Opinion]:
    """Return all, in the order of the programs."""
    return [
        Opinion(
            **{name: getattr(one, name) for name in SecondOpinion.__struct_fields__},
            program=program.program or file.name,
        )
        for program in programs
        for one in program.also
    ]


def with_opinions(output: bytes, opinions: Sequence[Opinion]) -> str:
    """Return the verifier's JSON with the opinions under `also`, for all programs in their order."""
    if not opinions:
        return output.decode()
    document: dict[str, Any] = msgspec.json.decode(output)
    return msgspec.json.encode({**document, "also": opinions}).decode()
