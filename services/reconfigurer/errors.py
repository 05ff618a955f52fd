"""The reconfigurer's errors.

ReconfigurerError
├── GuestRefused        the guest said no, authenticated: `rule` and the sentence are its own; trying again is useless
├── GuestUnreachable    no answer, or none that its key vouches for; trying again may help
└── GuestUnknown        this host has no such guest, or it is not running
"""


class ReconfigurerError(Exception):
    """Base; `rule` is stable."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class GuestRefused(ReconfigurerError):  # noqa: N818  what happened, as the events name it
    """`code` is the CoAP response code, `highest` the highest counter or sequence that the guest has seen, if it said so."""

    def __init__(self, rule: str, message: str, *, code: int, highest: int | None = None) -> None:
        super().__init__(rule, message)
        self.code = code
        self.highest = highest


class GuestUnreachable(ReconfigurerError):  # noqa: N818
    """Nothing is known about what the guest did."""


class GuestUnknown(ReconfigurerError):  # noqa: N818
    """Nobody to ask."""
