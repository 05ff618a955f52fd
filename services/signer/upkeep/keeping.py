"""Objects that releases name outlive the others: the store forgets its oldest; what is still named is stored again in time.

So the object store has room for ever: whatever no release within the kept history names is forgotten once newer objects need
its place, and nobody needs the right to delete. Named are envelope and bundle of each release that KV `unibpf-releases` keeps,
and the envelopes of graphs that guests boot with. Several signers may do this at the same time; it costs room, and is right.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from services.signer.sequence import Reservation
from unibpf.bus import Bus, BusError, BusNotReady, ObjectCorrupt, ObjectMissing, topology
from unibpf.bus.stores import setup
from unibpf.messages.programs import Counter, Signed

logger = logging.getLogger(__name__)

Name = TypeVar("Name", str, int)

PAUSE_SECONDS: Final = 30.0
TURN: Final = 1 / 8  # of the store, by messages: how much newer objects make it worth while to look again
QUIET: Final = 0.5  # a store that is emptier forgets nothing for long
CROWDED: Final = 0.4  # of the store: what is named must not need more, or copies would not keep up


class State(Struct, frozen=True, kw_only=True):
    """The stream behind the store."""

    first: int
    last: int
    fill: float
    bytes: int = 0
    max_bytes: int = 0

    @property
    def middle(self) -> int:
        """What was stored before this is stored again."""
        return self.first + (self.last - self.first) // 2


def is_due(state: State, looked_at: int | None) -> bool:
    """Whether anything named may be near the end: the store is half full, and has turned since the last look."""
    turned = looked_at is None or state.last - looked_at >= TURN * max(1, state.last - state.first)
    return state.fill >= QUIET and turned


def stale(places: Mapping[Name, int], state: State) -> list[Name]:
    """The named objects in the older half, oldest first."""
    return sorted((name for name, place in places.items() if place < state.middle), key=lambda name: places[name])


class Keeping:
    """One signer's part in it. `alarm` is what somebody has to look at."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._looked_at: int | None = None
        self.alarm: str | None = None

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            try:
                await self.look()
            except (BusError, APIError, NatsError, OSError, TimeoutError) as error:
                logger.warning("objects that releases name could not be looked at: %s", error)
            except Exception:
                logger.exception("objects that releases name could not be looked at")
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> int:
        """Store again what is in danger; how many objects that were."""
        state = await self._state()
        if not is_due(state, self._looked_at):
            return 0
        names, places, size = await self._named(), dict[str, int](), 0
        for name in names:
            with contextlib.suppress(ObjectMissing):
                places[name], length = await self._bus.object_place(name)
                size += length
        again = stale(places, state)
        for name in again:
            await self._again(name)
        self._looked_at = state.last
        self._judge(len(places), size, state)
        about = {"named": len(names), "missing": len(names) - len(places), "stored_again": len(again), "bytes": size}
        logger.info("objects", extra=about)
        return len(again)

    async def _again(self, name: str) -> None:
        try:
            await self._bus.put_object(await self._bus.get_object(name), is_new=True)
        except (ObjectMissing, ObjectCorrupt) as error:
            logger.warning("object `%s` is named by a release and gone: %s", name, error)

    def _judge(self, count: int, size: int, state: State) -> None:
        is_crowded = state.max_bytes > 0 and size > CROWDED * state.max_bytes
        text = f"the {count} objects that releases name take {size} of {state.max_bytes} bytes of `{topology.OBJECTS}`"
        self.alarm = f"{text}; raise its limit" if is_crowded else None

    async def _named(self) -> list[str]:
        """By every release of the kept history, and by the newest graphs."""
        found: dict[str, None] = {}
        prefix = f"$KV.{topology.RELEASES}.>"
        async for message in self._bus.history(f"KV_{topology.RELEASES}", prefix):
            try:
                release = msgspec.json.decode(message.data, type=Signed)
            except msgspec.MsgspecError:  # a tombstone, or a newer version's
                continue
            found |= {release.envelope: None, release.bundle: None}
        found |= {envelope: None async for envelope in self._graphs()}
        return list(found)

    async def _graphs(self) -> AsyncIterator[str]:
        reservations = await self._bus.kv(topology.RESERVATIONS)
        prefix = f"$KV.{topology.SEQUENCES}."
        async for message in self._bus.history(f"KV_{topology.SEQUENCES}", f"{prefix}graph.>"):
            with contextlib.suppress(msgspec.MsgspecError):
                newest = msgspec.json.decode(message.data, type=Counter)
                reserved = await reservations.get(f"{message.subject.removeprefix(prefix)}.{newest.sequence}")
                if reserved is not None and (envelope := reserved.decode(Reservation).envelope):
                    yield envelope

    async def _state(self) -> State:
        name = f"OBJ_{topology.OBJECTS}"
        info = await setup.stream(self._bus.jetstream, name)
        if info is None:
            raise BusNotReady(f"stream `{name}` is missing; run `unibpf bus init`")
        stands, config = info["state"], info["config"]
        most, messages = int(config.get("max_bytes") or 0), int(config.get("max_msgs") or 0)
        fills = [stands["bytes"] / most if most > 0 else 0.0, stands["messages"] / messages if messages > 0 else 0.0]
        return State(
            first=int(stands["first_seq"]),
            last=int(stands["last_seq"]),
            fill=max(fills),
            bytes=int(stands["bytes"]),
            max_bytes=most,
        )
