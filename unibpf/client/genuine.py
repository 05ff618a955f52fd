"""Whether what the bus tells of a release is what its envelope says. Pure.

`Signed` is a message: whoever writes to the bus writes one. The envelope is what the HSM signed and the guest checks, so a
host that writes down a sequence, or chooses by one, takes it from there. Whether the bundle is the one that was signed is the
guest's to judge, who says so with a rule.
"""

from collections.abc import Sequence

from unibpf.formats import envelope as envelopes
from unibpf.formats.envelope import EnvelopeError
from unibpf.messages.graphs import SignedGraph
from unibpf.messages.programs import Signed


def difference(signed: Signed, envelope: bytes) -> str | None:
    """Where the two differ, as the end of a sentence; None where they agree. Nothing is said about the signature."""
    try:
        release = envelopes.parse(envelope).release
    except EnvelopeError as error:
        return f"its envelope is malformed: {error}"
    rows: tuple[tuple[str, object, object], ...] = (
        ("program", signed.program, release.program),
        ("audience", signed.audience, release.audience),
        ("kind", signed.kind, release.kind),
        ("element", signed.element, release.element),
        ("sequence", signed.sequence, release.sequence),
        ("not_after", signed.not_after, release.not_after),
    )
    return _first(rows)


def graph_difference(graph: SignedGraph, envelope: bytes) -> str | None:
    """The same of a graph."""
    try:
        release = envelopes.parse(envelope).release
    except EnvelopeError as error:
        return f"its envelope is malformed: {error}"
    return _first(
        (
            ("kind", "graph", release.kind),
            ("name", graph.name, release.program),
            ("audience", graph.audience, release.audience),
            ("sequence", graph.sequence, release.sequence),
        )
    )


def _first(rows: Sequence[tuple[str, object, object]]) -> str | None:
    for field, told, is_signed in rows:
        if told != is_signed:
            return f"it is told with {field} `{told}` and signed with `{is_signed}`"
    return None
