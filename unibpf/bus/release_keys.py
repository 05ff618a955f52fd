"""Where releases are in KV `unibpf-releases`, and which of them applies to an element: one answer for all."""

from unibpf.bus.kv import Bucket, readable
from unibpf.host.outcomes import ANY_ELEMENT, newest_of
from unibpf.messages.programs import Signed


def release_key(audience: str, program: str, element: str) -> str:
    """KV `unibpf-releases`: a release for any element and one for a single element do not hide each other."""
    suffix = "" if element == "*" else "." + element.replace("@", "=")  # ADR-8: no `@` in a key, and no `=` in a name
    return f"{audience}.{program}{suffix}"


def release_keys(audience: str, program: str, element: str) -> tuple[str, str]:
    """Where the releases are that apply to an element."""
    return release_key(audience, program, "*"), release_key(audience, program, element)


async def newest_release(releases: Bucket, audience: str, program: str, element: str) -> Signed | None:
    """The newest release that applies to `element`; None where there is none. One that can't be read hides no other."""
    entries = [await releases.get(key) for key in release_keys(audience, program, element)]
    found = readable([entry for entry in entries if entry is not None], Signed)
    return newest_of([one for one in found if one.element in {ANY_ELEMENT, element}])
