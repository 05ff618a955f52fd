"""What a push says beside its bytes: the headers of `unibpf.v1.program.upload.<identity>.<program>`.

    Unibpf-Audience   the guest class it is meant for          (default `edge`)
    Unibpf-Element    the element it is meant for, or `*`      (default `*`)
    Unibpf-Section    ELF section of the program, when the object holds several
    Unibpf-Function   its function, likewise
    Unibpf-Object     digest of the object in the object store; then the payload is empty (objects above INLINE_BYTES)

Every header is optional, so that `nats pub` alone is a valid push.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from unibpf.messages import Audience, Digest, ElementName

AUDIENCE: Final = "Unibpf-Audience"
ELEMENT: Final = "Unibpf-Element"
SECTION: Final = "Unibpf-Section"
FUNCTION: Final = "Unibpf-Function"
OBJECT: Final = "Unibpf-Object"

DEFAULT_AUDIENCE: Final = "edge"
ANY_ELEMENT: Final = "*"
INLINE_BYTES: Final = 512 << 10
MAX_OBJECT_BYTES: Final = 4 << 20  # of the object store; the front end itself would take more
_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,128}")


class UploadError(ValueError):
    """A header of a push is malformed; `rule` names it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Upload(Struct, frozen=True, kw_only=True):
    """The headers of one push."""

    audience: str = DEFAULT_AUDIENCE
    element: str = ANY_ELEMENT
    section: str | None = None
    function: str | None = None
    object: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers to publish with."""
        named = {
            AUDIENCE: self.audience,
            ELEMENT: self.element,
            SECTION: self.section,
            FUNCTION: self.function,
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
        object=_checked(headers[OBJECT], Digest, "object", OBJECT) if OBJECT in headers else None,
    )


def _checked(value: str, kind: object, rule: str, header: str) -> str:
    try:
        text: str = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UploadError(f"upload-{rule}", f"header `{header}` is not valid: got `{value:.64}`") from error
    return text


def _plain(headers: Mapping[str, str], header: str) -> str | None:
    value = headers.get(header)
    if value is not None and not _PLAIN.fullmatch(value):
        raise UploadError("upload-header", f"header `{header}` is not valid: got `{value!r:.64}`")
    return value
