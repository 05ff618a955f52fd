"""Look at what stands, plan (plan.py), carry out: the operator's work, in which nothing is ever lowered or deleted."""

import asyncio
import json
from typing import Any, Final

from msgspec import Struct
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from unibpf.bus import topology
from unibpf.bus.stores import fill, plan
from unibpf.bus.stores.fill import Fill
from unibpf.bus.stores.plan import Standing, Step
from unibpf.host.settings import DEFAULT_HOST
from unibpf.subjects import DEAD

API_SECONDS: Final = 10.0
_DONE: Final = {"create": "created", "change": "changed"}


class Look(Struct, frozen=True, kw_only=True):
    """The plan, and how full each stream is."""

    steps: list[Step]
    fills: list[Fill]

    @property
    def is_right(self) -> bool:
        """Whether nothing has to be done and nothing is nearly full."""
        return all(step.do == "keep" for step in self.steps) and not any(one.is_alarm for one in self.fills)


class Condition(Struct, frozen=True, kw_only=True):
    """Whether the stores can take work."""

    missing: list[str] = []
    fills: list[Fill] = []
    dead_letters: int = 0
    stored_bytes: int = 0

    @property
    def faults(self) -> list[str]:
        """What keeps pushes from going through, or soon will."""
        return [f"stream {name} is missing" for name in self.missing] + [str(one) for one in self.fills if one.is_alarm]


class Done(Struct, frozen=True, kw_only=True):
    """What became of a step; `outcome` is `created`, `changed`, `kept`, `waits`, `differs` or `failed`."""

    step: Step
    outcome: str
    problem: str | None = None

    def __str__(self) -> str:
        said = f"{self.step.kind} {self.step.name} {self.outcome}"
        why = [*self.step.why, *([self.problem] if self.problem else [])]
        return f"{said}: {'; '.join(why)}" if why else said

    @property
    def is_right(self) -> bool:
        """Whether what the table says stands now."""
        return self.outcome in {"created", "changed", "kept"}


async def look(js: JetStreamContext, *, hosts: tuple[str, ...] = (DEFAULT_HOST,), replicas: int | None = None) -> Look:
    """Read what stands and compare; changes nothing."""
    streams: list[dict[str, Any]] = [config.as_dict() for config in topology.stream_configs(1)]
    rows: list[tuple[str, dict[str, Any]]] = [
        (row.stream, topology.consumer_config(row).as_dict()) for row in topology.consumers(hosts)
    ]
    infos = {name: info for name, info in (await _infos(js)).items() if info is not None}
    standing = Standing(streams={name: info["config"] for name, info in infos.items()})
    fills = [fill.of(info["config"], info["state"]) for info in infos.values()]
    for stream, config in rows:
        name = config["durable_name"]
        info = await _ask(js, f"CONSUMER.INFO.{stream}.{name}")
        if info is not None:
            standing.consumers[stream, name] = info["config"]
    return Look(steps=plan.steps(standing, streams, rows, replicas=replicas), fills=fills)


async def condition(js: JetStreamContext) -> Condition:
    """What any identity may ask: which streams there are, how full, how many dead letters."""
    infos = await _infos(js)
    there = {name: info for name, info in infos.items() if info is not None}
    return Condition(
        missing=[name for name, info in infos.items() if info is None],
        fills=[fill.of(info["config"], info["state"]) for info in there.values()],
        dead_letters=int(there[DEAD]["state"]["messages"]) if DEAD in there else 0,
        stored_bytes=await account(js),
    )


async def consumer(js: JetStreamContext, row: topology.Consumer) -> dict[str, Any] | None:
    """What the server says of one consumer; None where it has none."""
    return await _ask(js, f"CONSUMER.INFO.{row.stream}.{row.name}")


async def stream(js: JetStreamContext, name: str) -> dict[str, Any] | None:
    """What the server says of one stream; None where there is none."""
    return await _ask(js, f"STREAM.INFO.{name}")


async def account(js: JetStreamContext) -> int:
    """The bytes that JetStream holds on the disk."""
    answer = await _ask(js, "INFO")
    return int(answer["storage"]) if answer is not None else 0


async def _infos(js: JetStreamContext) -> dict[str, dict[str, Any] | None]:
    names = [str(config.name) for config in topology.stream_configs(1)]
    found = await asyncio.gather(*(_ask(js, f"STREAM.INFO.{name}") for name in names))
    return dict(zip(names, found, strict=True))


async def init(
    js: JetStreamContext,
    *,
    hosts: tuple[str, ...] = (DEFAULT_HOST,),
    replicas: int | None = None,
    yes: bool = True,
) -> list[Done]:
    """Create what is missing and, with `yes`, change what lacks something; a step that fails does not stop the others."""
    found = await look(js, hosts=hosts, replicas=replicas)
    return [await _carry_out(js, step, yes=yes) for step in found.steps]


async def _carry_out(js: JetStreamContext, step: Step, *, yes: bool) -> Done:
    if step.do in {"keep", "differs"}:
        return Done(step=step, outcome="kept" if step.do == "keep" else "differs")
    if step.do == "change" and not yes:
        return Done(step=step, outcome="waits")
    try:
        await _ask(js, *_request(step))
    except (APIError, NotFoundError) as error:
        return Done(step=step, outcome="failed", problem=error.description or str(error))
    return Done(step=step, outcome=_DONE[step.do])


def _request(step: Step) -> tuple[str, dict[str, Any]]:
    """As the JetStream API names it; a consumer says whether it may exist (`action`)."""
    if step.kind == "stream":
        return f"STREAM.{'CREATE' if step.do == 'create' else 'UPDATE'}.{step.name}", step.config
    action = "create" if step.do == "create" else "update"
    body = {"stream_name": step.stream, "config": step.config, "action": action}
    return f"CONSUMER.CREATE.{step.stream}.{step.name}", body


async def _ask(js: JetStreamContext, what: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """The server's answer as it is: the client library's classes know fewer fields. None: there is no such thing."""
    try:
        answer: dict[str, Any] = await js._api_request(
            f"{js._prefix}.{what}", json.dumps(body).encode() if body else b"", timeout=API_SECONDS
        )
    except NotFoundError:
        if body is not None:
            raise
        return None
    return answer
