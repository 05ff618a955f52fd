"""What the guests of a class give a program: instructions for one packet, and memory for its maps.

    UNIBPF_VERIFIER_CLASSES=edge=budget:200000,memory:64;core=budget:5000000

A class that is not named gives what UNIBPF_VERIFIER_BUDGET says, and as much memory as one map may have at most. Who pushes
may ask for a smaller budget (header `Unibpf-Budget`), never for a larger one: a program that a guest stops at every packet is
not safe for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from unibpf.host.settings import SettingError

NAME: Final = "UNIBPF_VERIFIER_CLASSES"
_CLASS: Final = re.compile(r"([a-z0-9][a-z0-9_-]{0,47})=([a-z]+:[0-9]+(?:,[a-z]+:[0-9]+)*)")
MAX_BUDGET: Final = 1 << 40
MAX_MEMORY: Final = 1 << 20  # MiB


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Instructions a packet, and MiB of a guest; without these only a map's own limit counts."""

    budget: int
    memory_mib: int | None = None

    def asked(self, budget: int | None) -> int:
        """Return the budget to verify with, if one was asked for."""
        return self.budget if budget is None else min(budget, self.budget)


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What each class gives."""

    otherwise: Offer
    named: Mapping[str, Offer] = field(default_factory=dict)

    def of(self, audience: str) -> Offer:
        """Return what its guests give."""
        return self.named.get(audience, self.otherwise)


def from_environment(environ: Mapping[str, str], budget: int) -> Offers:
    """Raises SettingError for words of another form."""
    otherwise = Offer(budget=budget)
    named = {}
    for word in filter(None, map(str.strip, environ.get(NAME, "").split(";"))):
        found = _CLASS.fullmatch(word)
        if found is None:
            raise SettingError(f"`{NAME}`: got `{word:.80}`, expected `CLASS=budget:N,memory:MIB`")
        named[found[1]] = _offer(otherwise, found[2])
    return Offers(otherwise=otherwise, named=named)


def _offer(otherwise: Offer, words: str) -> Offer:
    offer = otherwise
    for word in words.split(","):
        what, _, text = word.partition(":")
        number = int(text[:16])
        if what == "budget" and 0 < number < MAX_BUDGET:
            offer = replace(offer, budget=number)
        elif what == "memory" and 0 < number < MAX_MEMORY:
            offer = replace(offer, memory_mib=number)
        else:
            raise SettingError(f"`{NAME}`: got `{word:.80}`, expected `budget:N` or `memory:MIB`")
    return offer
