"""What can go wrong in the signer.

SignerError
├── HsmError            the token is missing, locked, or refused to sign: nothing was signed, try again
├── CheckerError        the checker of certificates is missing or cannot run: nothing was signed, try again
├── PolicyError         the policy file is malformed: the signer does not start
├── EvidenceError       a verdict whose signature, report, bundle or certificate does not fit: never signed, dead letter
└── PolicyRefusal       the policy says no: answered with a Refused, the message is done
"""


class SignerError(Exception):
    """Base of the signer's errors."""


class HsmError(SignerError):
    """The token cannot sign now."""


class CheckerError(SignerError):
    """Certificates cannot be checked now."""


class PolicyError(SignerError):
    """The policy file cannot be read as one."""


class EvidenceError(SignerError):
    """The verdict cannot be believed; `rule` names what did not fit."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class PolicyRefusal(SignerError):  # noqa: N818  an answer, not a fault
    """Nothing in the policy allows this; `hint` says what would."""

    def __init__(self, rule: str, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.rule = rule
        self.hint = hint
