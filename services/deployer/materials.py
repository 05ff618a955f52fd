"""Fetch what a guest boots with: its signed graph from the signer, the newest releases of its programs from the bus.

Nothing here is trusted by the guest: it checks every signature itself, against keys from the host's own file. An element
whose program has no release boots without one, drops, and is reported (`lacking`). A release that this guest refused or
rolled back is not booted again: the newest that was good there is (unibpf/host/outcomes.py).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from services.deployer.boot import Materials, SignedProgram
from services.deployer.errors import BootError, SignerAway
from unibpf import subjects
from unibpf.bus import Bus, BusError, RequestFailed
from unibpf.bus.release_keys import newest_release
from unibpf.bus.topology import RELEASES
from unibpf.client import genuine
from unibpf.client.current import CurrentReleases
from unibpf.host.outcomes import OutcomeFile, choose, was_good
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.guests import GuestSpec
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

SIGN_SECONDS: Final = 5.0
AWAY: Final = "503"  # the signer works and cannot sign now (services/signer/service.py)


class Found(Struct, frozen=True, kw_only=True):
    """What was found for one element; `why` says what is unusual about it."""

    program: SignedProgram | None = None
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where releases come from, and what this host knows of the guest: what ran, and how high its numbers were."""

    bus: Bus
    current: CurrentReleases
    outcomes: OutcomeFile
    floors: Mapping[str, int]


async def fetch(sources: Sources, spec: GuestSpec) -> Materials:
    """Everything for one boot; raises BootError when the signer refuses or can't be reached."""
    graph = await _sign_graph(sources.bus, spec)
    found = {
        element: await _chosen(sources, spec, element, program) for element, program in sorted(spec.programs.items())
    }
    return Materials(
        graph=graph,
        graph_envelope=await _graph_envelope(sources.bus, graph),
        programs={element: one.program for element, one in found.items() if one.program is not None},
        lacking={element: one.why or "" for element, one in found.items() if one.program is None},
    )


async def _graph_envelope(bus: Bus, graph: SignedGraph) -> bytes:
    """Its bytes; what is written down of it is what is signed."""
    data = await bus.get_object(graph.envelope)
    wrong = genuine.graph_difference(graph, data)
    if wrong is not None:
        raise BootError("graph-refused", f"the signed graph is not what it is said to be: {wrong}")
    return data


async def _sign_graph(bus: Bus, spec: GuestSpec) -> SignedGraph:
    ask = SignGraph(guest=spec.guest, audience=spec.audience, name=spec.guest, graph=spec.graph)
    try:
        return await bus.request(subjects.sign_graph(), ask, SignedGraph, timeout=SIGN_SECONDS)
    except RequestFailed as error:
        if error.code == AWAY:  # its token is gone for a while: that is not about this graph
            raise SignerAway("signer", f"the graph could not be signed now: {error}") from error
        raise BootError("graph-refused", f"the signer refused the graph: {error}") from error
    except BusError as error:
        raise SignerAway("signer", f"the graph could not be signed: {error}") from error


async def _chosen(sources: Sources, spec: GuestSpec, element: str, program: str) -> "Found":
    """The release that the element boots with, and its bytes from the bus or, where it has them no more, from the host."""
    bus, outcomes = sources.bus, sources.outcomes
    newest = await newest_release(await bus.kv(RELEASES), spec.audience, program, element)
    records = outcomes.read()
    choice = choose(records, element, program, newest)
    if choice.why is not None:
        logger.warning("element `%s` of `%s`: %s", element, spec.guest, choice.why)
    if choice.release is None:
        return Found(why=choice.why)
    kept = outcomes.take(choice.release)
    envelope, bundle = kept or (
        await bus.get_object(choice.release.envelope),
        await bus.get_object(choice.release.bundle),
    )
    wrong = genuine.difference(choice.release, envelope)
    if wrong is not None:
        return Found(why=f"release `{choice.release.envelope}` of `{program}` is not what it is said to be: {wrong}")
    if not was_good(records, element, choice.release):
        wrong = await _older(sources, element, choice.release)
        if wrong is not None:
            return Found(why=wrong)
    return Found(program=SignedProgram(release=choice.release, envelope=envelope, bundle=bundle), why=choice.why)


async def _older(sources: Sources, element: str, release: Signed) -> str | None:
    """Why a release that never ran here may be older than what did, or than what is current; None where it is neither."""
    floor = sources.floors.get(element)
    if floor is None:
        return await sources.current.fault(release)
    if release.sequence < floor:
        return f"release {release.sequence} of `{release.program}` is older than what ran here ({floor})"
    return None
