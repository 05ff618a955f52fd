"""Fetch what a guest boots with: its signed graph from the signer, the newest releases of its programs from the bus.

Nothing here is trusted by the guest: it checks every signature itself, against keys from the host's own file. An element
whose program has no release, or whose newest release is for another element, boots without one, and drops.
"""

import logging
from typing import Final

from services.deployer.boot import Materials, SignedProgram
from services.deployer.errors import BootError
from unibpf import subjects
from unibpf.bus import Bus, BusError, RequestFailed
from unibpf.bus.topology import RELEASES
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.guests import GuestSpec
from unibpf.messages.programs import Signed

logger = logging.getLogger(__name__)

SIGN_SECONDS: Final = 5.0
ANY_ELEMENT: Final = "*"


async def fetch(bus: Bus, spec: GuestSpec) -> Materials:
    """Everything for one boot; raises BootError when the signer refuses or can't be reached."""
    graph = await _sign_graph(bus, spec)
    programs = {}
    for element, program in sorted(spec.programs.items()):
        found = await _newest(bus, spec.audience, element, program)
        if found is not None:
            programs[element] = found
    return Materials(graph=graph, graph_envelope=await bus.get_object(graph.envelope), programs=programs)


async def _sign_graph(bus: Bus, spec: GuestSpec) -> SignedGraph:
    ask = SignGraph(guest=spec.guest, audience=spec.audience, name=spec.guest, graph=spec.graph)
    try:
        return await bus.request(subjects.sign_graph(), ask, SignedGraph, timeout=SIGN_SECONDS)
    except RequestFailed as error:
        raise BootError("graph-refused", f"the signer refused the graph: {error}") from error
    except BusError as error:
        raise BootError("signer", f"the graph could not be signed: {error}") from error


async def _newest(bus: Bus, audience: str, element: str, program: str) -> SignedProgram | None:
    entry = await (await bus.kv(RELEASES)).get(f"{audience}.{program}")
    if entry is None:
        logger.warning("element `%s` boots without a program: `%s` has no release for `%s`", element, program, audience)
        return None
    release = entry.decode(Signed)
    if release.element not in {ANY_ELEMENT, element}:
        logger.warning("element `%s` boots without a program: `%s` is for `%s`", element, program, release.element)
        return None
    return SignedProgram(
        release=release,
        envelope=await bus.get_object(release.envelope),
        bundle=await bus.get_object(release.bundle),
    )
