"""The verifier's errors.

    VerifierError
    ├── Rejection           the object's fault: becomes a finding in a report, never a retry
    │   ├── Malformed       these bytes are no object that anybody could load
    │   ├── Ambiguous       the object is fine, the choice of its program is not
    │   └── Unsupported     a valid object that asks for something this project does not do
    └── Trouble             our fault or a limit
        ├── GaveUp          a limited process ran out of its limits or died
        └── Broken          the installation lacks something: worth a retry elsewhere, never a verdict

A `Rejection` names a rule; the place, when there is one, is a section and a byte offset in the object.
"""

from unibpf.messages.reports import Finding, VerdictKind


class VerifierError(Exception):
    """Base of everything that this service raises on purpose."""


class Rejection(VerifierError):  # noqa: N818 - a judgement about the object, no failure of ours
    """One reason why an object does not become a bundle."""

    verdict: VerdictKind = "unsupported"

    def __init__(self, rule: str, message: str, *, hint: str | None = None, at: tuple[str, int] | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.hint = hint
        self.at = at

    def finding(self) -> Finding:
        """Return the reason as people and reports see it, without a source line."""
        return Finding(rule=self.rule, message=self.message, hint=self.hint)


class Malformed(Rejection):
    """Not an object: wrong file, cut file, or tables that point outside."""


class Ambiguous(Rejection):
    """Several programs and none chosen, or a choice that does not exist."""


class Unsupported(Rejection):
    """A valid object that uses something that has no place here."""


class Trouble(VerifierError):  # noqa: N818 - the family, never raised itself
    """No fault of the object that we could name."""


class GaveUp(Trouble):
    """A limit was reached before there was an answer; `rule` says which."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Broken(Trouble):
    """This installation cannot verify anything, for example because the analyser is missing."""
