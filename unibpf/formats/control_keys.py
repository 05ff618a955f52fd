"""Made by schemas/control_keys.py from schemas/control.cddl: the names of the control channel's keys."""

from enum import IntEnum


class MacClaimsKey(IntEnum):
    """Keys of `mac-claims`."""

    DIRECTION = 0
    CODE = 1
    PATH = 2
    GUEST = 3
    NONCE = 4
    COUNTER = 5
    BODY_DIGEST = 6
    REQUEST_TAG = 7


class ActivateKey(IntEnum):
    """Keys of `activate`."""

    ENVELOPE = 0


class UpdateKey(IntEnum):
    """Keys of `update`."""

    ALREADY = 0
    ELEMENT = 1
    PROGRAM = 2
    SEQUENCE = 3
    ENVELOPE = 4
    STEPS = 5
    MAPS = 6
    ENGINE = 7
    TRACE = 8
    SWAP_NS = 9
    LONGEST_GAP_NS = 10
    PACKETS_DURING = 11
    PACKETS_LOST = 12
    ENGINE_BEFORE = 13


class StatusKey(IntEnum):
    """Keys of `status`."""

    GUEST = 0
    BOOT_NONCE = 1
    UPTIME_NS = 2
    AUDIENCE = 3
    ELEMENTS = 4
    NICS = 5
    MEMORY = 6
    GRAPH = 7
    LONGEST_GAP_NS = 8
    BOOT = 9
    VERSION = 10
    PLATFORM = 11
    RECENT_GAP_NS = 12


class ElementKey(IntEnum):
    """Keys of `element`."""

    NAME = 0
    CLASS_NAME = 1
    KIND = 2
    PROGRAM = 3
    SEQUENCE = 4
    ENVELOPE = 5
    ENGINE = 6
    PACKETS = 7
    DROPS = 8
    MAPS = 9
    STAGED = 10
    PREVIOUS = 11
    FLOOR = 12
    HANDLERS = 13
    ISOLATION = 14


class MapQueryKey(IntEnum):
    """Keys of `map-query`."""

    CURSOR = 0
    MOST = 1
    KEY = 2


class RingQueryKey(IntEnum):
    """Keys of `ring-query`."""

    POSITION = 0
    MOST = 1


class DumpKey(IntEnum):
    """Keys of `dump`."""

    NAME = 0
    TYPE = 1
    KEY_SIZE = 2
    VALUE_SIZE = 3
    ENTRIES = 4
    HELD = 5
    NEXT = 6
    POSITION = 7
    LOST = 8


class MapChangesKey(IntEnum):
    """Keys of `map-changes`."""

    CHANGES = 0
    FLAGS = 1
    ENVELOPE = 2


class MapChangedKey(IntEnum):
    """Keys of `map-changed`."""

    NAME = 0
    APPLIED = 1
    ENTRIES = 2
    STEPS = 3
    ERROR = 4


class HandlerKey(IntEnum):
    """Keys of `handler`."""

    ELEMENT = 0
    NAME = 1
    VALUE = 2


class ProblemKey(IntEnum):
    """Keys of `problem`."""

    TITLE = -1
    DETAIL = -2
    RESPONSE_CODE = -4


class RefusalKey(IntEnum):
    """Keys of `refusal`."""

    RULE = 0
    HIGHEST = 1
