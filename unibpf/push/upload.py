"""What a push says beside its bytes: the headers of `unibpf.v1.program.upload.<identity>.<program>`.

    Unibpf-Audience   the guest class it is meant for          (default `edge`)
    Unibpf-Element    the element it is meant for, or `*`      (default `*`)
    Unibpf-Section    ELF section of the program, when the object holds several
    Unibpf-Function   its function, likewise
    Unibpf-Kind       what a program of an `xdp` section is here: filter, classifier or rewriter  (default `filter`)
    Unibpf-Tails, Unibpf-Constants, Unibpf-Max-Entries, Unibpf-Inner-Maps
                      what a loader of the object's own would set (unibpf.push.loading), words with commas between them
    Unibpf-Maps       what becomes of maps at the swap: NAME=reset or NAME=keep, with commas between them  (default keep)
    Unibpf-Probation  how guests watch it after the swap: time=SECONDS, packets=N, share=N, aborted  (default: as they do it)
    Unibpf-Budget     instructions that one packet may cost at most, where that is less than the class gives
    Unibpf-Object     digest of the object in the object store; then the payload is empty (objects above INLINE_BYTES)

Every header is optional, so that `nats pub` alone is a valid push.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, get_args

import msgspec
from msgspec import Struct

from unibpf.formats.bpf import MAX_MAPS
from unibpf.messages.base import Audience, Digest, ElementName, Kind
from unibpf.messages.programs import MapName, MapWish, Probation
from unibpf.push import loading
from unibpf.push.loading import NOTHING, Loading

AUDIENCE: Final = "Unibpf-Audience"
ELEMENT: Final = "Unibpf-Element"
SECTION: Final = "Unibpf-Section"
FUNCTION: Final = "Unibpf-Function"
KIND: Final = "Unibpf-Kind"
MAPS: Final = "Unibpf-Maps"
PROBATION: Final = "Unibpf-Probation"
BUDGET: Final = "Unibpf-Budget"
OBJECT: Final = "Unibpf-Object"

HEADERS: Final = {
    AUDIENCE: "the guest class it is meant for (default: edge)",
    ELEMENT: "the element it is meant for, or * (default)",
    SECTION: "the section of the program, when the object holds several",
    FUNCTION: "its function, likewise",
    KIND: "what a program of an xdp section is: filter (default), classifier or rewriter",
    **{option.header: f"{option.help}: {option.metavar}, with commas between them" for option in loading.OPTIONS},
    MAPS: "what becomes of maps at the swap: NAME=reset or NAME=keep (default), with commas between them",
    PROBATION: "how guests watch it after the swap: time=SECONDS, packets=N, share=N, aborted, with commas between them",
    BUDGET: "instructions that one packet may cost at most, where that is less than its guests give",
    OBJECT: "SHA-256 of the object in the object store; then the payload is empty",
}

DEFAULT_AUDIENCE: Final = "edge"
ANY_ELEMENT: Final = "*"
INLINE_BYTES: Final = 512 << 10
MAX_OBJECT_BYTES: Final = 4 << 20  # of the object store; the front end itself would take more
_SECONDS: Final = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,11}")
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
    kind: Kind | None = None
    loading: Loading = NOTHING
    maps: dict[str, MapWish] = {}
    probation: Probation | None = None
    budget: int | None = None
    object: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers to publish with."""
        named = {
            AUDIENCE: self.audience,
            ELEMENT: self.element,
            SECTION: self.section,
            FUNCTION: self.function,
            KIND: self.kind,
            MAPS: ",".join(f"{name}={wish}" for name, wish in self.maps.items()) or None,
            PROBATION: None if self.probation is None else probation_words(self.probation),
            BUDGET: None if self.budget is None else str(self.budget),
            OBJECT: self.object,
        }
        return {name: value for name, value in named.items() if value is not None} | self.loading.headers()


def parse(headers: Mapping[str, str]) -> Upload:
    """Read the headers of a push; raises UploadError."""
    element = headers.get(ELEMENT, ANY_ELEMENT)
    return Upload(
        audience=_checked(headers.get(AUDIENCE, DEFAULT_AUDIENCE), Audience, "audience", AUDIENCE),
        element=element if element == ANY_ELEMENT else _checked(element, ElementName, "element", ELEMENT),
        section=_plain(headers, SECTION),
        function=_plain(headers, FUNCTION),
        kind=_kind(headers),
        loading=_loading(headers),
        maps=_maps(headers),
        probation=_probation(headers),
        budget=_budget(headers),
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


def _budget(headers: Mapping[str, str]) -> int | None:
    value = headers.get(BUDGET)
    if value is not None and not _NUMBER.fullmatch(value):
        raise UploadError("upload-header", f"header `{BUDGET}` is not valid: got `{value!r:.64}`")
    return None if value is None else int(value)


def read_wishes(words: Iterable[str]) -> dict[str, MapWish]:
    """`NAME=reset`, `NAME=keep`; raises ValueError."""
    found: dict[str, MapWish] = {}
    for word in words:
        name, _, wish = word.partition("=")
        try:
            found |= msgspec.convert({name: wish}, dict[MapName, MapWish])
        except msgspec.ValidationError:
            raise ValueError(f"got `{word:.80}`, expected `NAME=reset` or `NAME=keep`") from None
    if len(found) > MAX_MAPS:
        raise ValueError(f"got {len(found)} maps, expected at most {MAX_MAPS}")
    return found


def read_probation(text: str) -> Probation:
    """`time=60,packets=1000,share=100,aborted`, each of them optional; raises ValueError."""
    found: dict[str, int | bool] = {}
    for word in text.split(","):
        name, _, value = word.partition("=")
        if word == "aborted":
            found["counts_aborted"] = True
        elif name in {"packets", "share"} and _NUMBER.fullmatch(value):
            found[name] = int(value)
        elif name == "time" and _SECONDS.fullmatch(value):
            found["time_ms"] = round(float(value) * 1000)
        else:
            raise ValueError(f"got `{word:.80}`, expected `time=SECONDS`, `packets=N`, `share=N` or `aborted`")
    try:
        return msgspec.convert(found, Probation)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def probation_words(probation: Probation) -> str:
    """As `read_probation` takes them."""
    words = [f"time={probation.time_ms / 1000:g}", f"packets={probation.packets}", f"share={probation.share}"]
    return ",".join([*words, *(["aborted"] if probation.counts_aborted else [])])


def _probation(headers: Mapping[str, str]) -> Probation | None:
    value = headers.get(PROBATION)
    try:
        return read_probation(value) if value is not None else None
    except ValueError as error:
        raise UploadError("upload-header", f"header `{PROBATION}` is not valid: {error}") from error


def _maps(headers: Mapping[str, str]) -> dict[str, MapWish]:
    value = headers.get(MAPS)
    try:
        return read_wishes(value.split(",")) if value else {}
    except ValueError as error:
        raise UploadError("upload-header", f"header `{MAPS}` is not valid: {error}") from error


def _loading(headers: Mapping[str, str]) -> Loading:
    try:
        return loading.of_headers(headers)
    except ValueError as error:
        raise UploadError("upload-header", str(error)) from error


def _plain(headers: Mapping[str, str], header: str) -> str | None:
    value = headers.get(header)
    if value is not None and not _PLAIN.fullmatch(value):
        raise UploadError("upload-header", f"header `{header}` is not valid: got `{value!r:.64}`")
    return value
