"""What a push says beside its bytes: the headers of `unibpf.v1.program.upload.<identity>.<program>`.

    Unibpf-Audience   the guest class it is meant for          (default `edge`)
    Unibpf-Element    the element it is meant for, or `*`      (default `*`)
    Unibpf-Section    ELF section of the program, when the object holds several
    Unibpf-Function   its function, likewise
    Unibpf-Kind       what a program of an `xdp` section is here: filter, classifier or rewriter  (default `filter`)
    Unibpf-Tails      programs that a loader would put into program arrays: `MAP:INDEX=FUNCTION`, with commas between them
    Unibpf-Object     digest of the object in the object store; then the payload is empty (objects above INLINE_BYTES)

Every header is optional, so that `nats pub` alone is a valid push.
"""

import re
from collections.abc import Mapping
from typing import Final, get_args

import msgspec
from msgspec import Struct

from unibpf.messages import Audience, Digest, ElementName, Kind

AUDIENCE: Final = "Unibpf-Audience"
ELEMENT: Final = "Unibpf-Element"
SECTION: Final = "Unibpf-Section"
FUNCTION: Final = "Unibpf-Function"
KIND: Final = "Unibpf-Kind"
TAILS: Final = "Unibpf-Tails"
OBJECT: Final = "Unibpf-Object"

DEFAULT_AUDIENCE: Final = "edge"
ANY_ELEMENT: Final = "*"
INLINE_BYTES: Final = 512 << 10
MAX_OBJECT_BYTES: Final = 4 << 20  # of the object store; the front end itself would take more
MAX_TAILS: Final = 256
_TAIL: Final = re.compile(r"([A-Za-z0-9_.]{1,63}):(0|[1-9][0-9]{0,8})=([A-Za-z0-9_.]{1,128})")
_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,128}")


class UploadError(ValueError):
    """A header of a push is malformed; `rule` names it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Tail(Struct, frozen=True):
    """One entry of a program array: `function` goes on where a tail call names `index` of `map`."""

    map: str
    index: int
    function: str

    @staticmethod
    def parse(text: str) -> "Tail":
        """Read `MAP:INDEX=FUNCTION`; raises ValueError."""
        found = _TAIL.fullmatch(text)
        if found is None:
            raise ValueError(f"got `{text:.80}`, expected `MAP:INDEX=FUNCTION`")
        return Tail(found[1], int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.map}:{self.index}={self.function}"


class Upload(Struct, frozen=True, kw_only=True):
    """The headers of one push."""

    audience: str = DEFAULT_AUDIENCE
    element: str = ANY_ELEMENT
    section: str | None = None
    function: str | None = None
    kind: Kind | None = None
    tails: tuple[Tail, ...] = ()
    object: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers to publish with."""
        named = {
            AUDIENCE: self.audience,
            ELEMENT: self.element,
            SECTION: self.section,
            FUNCTION: self.function,
            KIND: self.kind,
            TAILS: ",".join(map(str, self.tails)) or None,
            OBJECT: self.object,
        }
        return {name: value for name, value in named.items() if value is not None}


def parse(headers: Mapping[str, str]) -> Upload:
    """Read the headers of a push; raises UploadError."""
    element = headers.get(ELEMENT, ANY_ELEMENT)
    return Upload(
        audience=_checked(headers.get(AUDIENCE, DEFAULT_AUDIENCE), Audience, "audience", AUDIENCE),
        element=element if element == ANY_ELEMENT else _checked(element, ElementName, "element", ELEMENT),
        section=_plain(headers, SECTION),
        function=_plain(headers, FUNCTION),
        kind=_kind(headers),
        tails=_tails(headers),
        object=_checked(headers[OBJECT], Digest, "object", OBJECT) if OBJECT in headers else None,
    )


def _checked(value: str, kind: object, rule: str, header: str) -> str:
    try:
        text: str = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UploadError(f"upload-{rule}", f"header `{header}` is not valid: got `{value:.64}`") from error
    return text


def _kind(headers: Mapping[str, str]) -> Kind | None:
    value = headers.get(KIND)
    found: Kind | None = next((kind for kind in get_args(Kind) if kind == value), None)
    if value is not None and found is None:
        raise UploadError("upload-header", f"header `{KIND}` is not valid: got `{value!r:.64}`")
    return found


def _tails(headers: Mapping[str, str]) -> tuple[Tail, ...]:
    words = headers[TAILS].split(",", MAX_TAILS - 1) if TAILS in headers else []
    try:
        return tuple(Tail.parse(word) for word in words)
    except ValueError as error:
        raise UploadError("upload-header", f"header `{TAILS}` is not valid: {error}") from error


def _plain(headers: Mapping[str, str], header: str) -> str | None:
    value = headers.get(header)
    if value is not None and not _PLAIN.fullmatch(value):
        raise UploadError("upload-header", f"header `{header}` is not valid: got `{value!r:.64}`")
    return value
