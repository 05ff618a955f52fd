# ruff: noqa: N818  states of the world and instructions to `consume`; the family name BusError says "error" once
"""What can go wrong on the bus.

BusError
├── BusUnavailable      no server answered, or it is too old
├── BusNotReady         a stream, bucket or consumer is missing: `unibpf bus init`
├── BusFull             a stream, bucket or store is at its limit (topology.py)
├── Swallowed           the server says `duplicate` of a message that was never sent before: somebody took its id
├── PermissionDenied    this identity may not use that subject (NATS itself would only time out)
├── ObjectMissing       no object under that digest
├── ObjectCorrupt       the bytes do not have the digest they are filed under, or exceed the cap
├── Conflict            a compare-and-set lost: read again and decide again
├── RequestFailed       a service answered with an error (ADR-32); `code` and `description` are its own
└── RequestTimeout      nobody answered in time

Raised by handlers, for `consume`:
Reject      never try again: terminate and write a dead letter
Retry       try again after the backoff
"""


class BusError(Exception):
    """Base of all bus errors."""


class BusUnavailable(BusError):
    """No usable server."""


class BusNotReady(BusError):
    """The topology is not there."""


class BusFull(BusError):
    """It is taken when there is room again."""


class Swallowed(BusError):
    """Nothing was stored; under another id it will be."""


class PermissionDenied(BusError):
    """The server refused a subject to this identity."""


class ObjectMissing(BusError):
    """Nothing is stored under the digest."""


class ObjectCorrupt(BusError):
    """What is stored is not what the digest says, or too large."""


class Conflict(BusError):
    """Somebody else changed the key first."""


class RequestTimeout(BusError):
    """No answer."""


class RequestFailed(BusError):
    """The service's own error."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


class Reject(Exception):
    """The message can never be handled; `rule` is a stable id, `reason` a sentence."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class Retry(Exception):
    """Handling failed for a reason that may pass."""
