"""What has to be done so that a server has what the table says: pure, so that it can be shown before it is done.

`create` makes what is missing. `change` raises or adds to what stands; it waits for somebody's yes. `differs` is what this
program never does: to lower replicas, to change storage or retention. It needs a person who knows what it costs. `keep`
touches nothing; where more stands than the table asks for (a limit that an operator raised), `why` says so.

Configurations are the server's own JSON: a field that this version does not know stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

Config = Mapping[str, Any]
Do = Literal["create", "change", "keep", "differs"]
ORDER: Final = ("create", "change", "differs", "keep")

_LIMITS: Final = ("max_age", "max_bytes", "max_msgs", "max_msgs_per_subject", "max_msg_size")
_FIXED: Final = ("retention", "storage")
_SWITCHES: Final = ("deny_delete", "deny_purge", "allow_direct")
_PATIENCE: Final = ("ack_wait", "max_deliver", "max_ack_pending")


class Step(Struct, frozen=True, kw_only=True):
    """One stream (buckets and object stores are streams too) or one consumer, and what becomes of it."""

    do: Do
    kind: Literal["stream", "consumer"]
    name: str
    why: list[str] = []
    stream: str | None = None
    config: dict[str, Any] = {}

    def __str__(self) -> str:
        said = f"{self.kind} {self.name}"
        return f"{said}: {'; '.join(self.why)}" if self.why else said


class Standing(Struct, kw_only=True):
    """What the server has of what was asked for: by stream, and by stream and consumer."""

    streams: dict[str, dict[str, Any]] = {}
    consumers: dict[tuple[str, str], dict[str, Any]] = {}


class _Difference(Struct, kw_only=True):
    """Collected over the fields of one thing."""

    changes: dict[str, Any] = {}
    why: list[str] = []
    notes: list[str] = []
    faults: list[str] = []

    def change(self, field: str, before: Any, after: Any) -> None:
        self.changes[field] = after
        self.why.append(f"{field} {_said(before)} -> {_said(after)}")


def steps(
    standing: Standing, streams: Iterable[Config], consumers: Iterable[tuple[str, Config]], *, replicas: int | None
) -> list[Step]:
    """By what they do, then in the table's order. `replicas` None: as many as stands already, one where nothing does."""
    counts = [int(config.get("num_replicas") or 1) for config in standing.streams.values()]
    copies = replicas or max(counts, default=1)
    found = [_stream(standing.streams.get(config["name"]), config, copies) for config in streams]
    found += [_consumer(standing.consumers.get((name, str(c["durable_name"]))), name, c) for name, c in consumers]
    return sorted(found, key=lambda step: ORDER.index(step.do))


def _stream(stands: Config | None, wanted: Config, copies: int) -> Step:
    name = str(wanted["name"])
    if stands is None:
        return Step(do="create", kind="stream", name=name, why=["missing"], config=_copied(wanted, copies))
    difference = _Difference()
    _compare_replicas(difference, int(stands.get("num_replicas") or 1), copies)
    _compare_sets(difference, "subjects", stands.get("subjects") or (), wanted.get("subjects") or ())
    for field in _LIMITS:
        _compare_limits(difference, field, stands.get(field), wanted.get(field))
    for field in _FIXED:
        if stands.get(field) != wanted.get(field):
            difference.faults.append(f"{field} is {_said(stands.get(field))}, expected {_said(wanted.get(field))}")
    if stands.get("discard") != wanted.get("discard"):
        difference.change("discard", stands.get("discard"), wanted.get("discard"))
    for field in _SWITCHES:
        _compare_switches(difference, field, is_on=bool(stands.get(field)), wanted=bool(wanted.get(field)))
    return _step(difference, stands, kind="stream", name=name, stream=None)


def _copied(config: Config, copies: int) -> dict[str, Any]:
    """ADR-56: asynchronous persistence exists for unreplicated streams only."""
    left_out = {"persist_mode"} if copies > 1 else set()
    return {field: value for field, value in {**config, "num_replicas": copies}.items() if field not in left_out}


def _consumer(stands: Config | None, stream: str, wanted: Config) -> Step:
    name = str(wanted["durable_name"])
    if stands is None:
        return Step(do="create", kind="consumer", name=name, stream=stream, why=["missing"], config=dict(wanted))
    difference = _Difference()
    _compare_sets(difference, "filter_subjects", _filters(stands), _filters(wanted))
    if "filter_subjects" in difference.changes:
        difference.changes["filter_subject"] = ""
    for field in _PATIENCE:
        _compare_limits(difference, field, stands.get(field), wanted.get(field))
    if stands.get("ack_policy") != wanted.get("ack_policy"):
        difference.faults.append(
            f"ack_policy is {_said(stands.get('ack_policy'))}, expected {_said(wanted.get('ack_policy'))}"
        )
    return _step(difference, stands, kind="consumer", name=name, stream=stream)


def _step(
    difference: _Difference, stands: Config, *, kind: Literal["stream", "consumer"], name: str, stream: str | None
) -> Step:
    """A fault stops a change of the same thing: half a change of what somebody has to look at helps nobody."""
    if difference.faults:
        return Step(do="differs", kind=kind, name=name, stream=stream, why=difference.faults)
    if difference.changes:
        config = {**stands, **difference.changes}
        if config.get("filter_subject") == "":
            del config["filter_subject"]
        if kind == "stream":
            config = _copied(config, int(config.get("num_replicas") or 1))
        return Step(do="change", kind=kind, name=name, stream=stream, why=difference.why, config=config)
    return Step(do="keep", kind=kind, name=name, stream=stream, why=difference.notes)


def _compare_replicas(difference: _Difference, stands: int, copies: int) -> None:
    if stands < copies:
        difference.change("num_replicas", stands, copies)
    elif stands > copies:
        difference.faults.append(f"num_replicas is {stands}, asked for {copies}: replicas are never lowered")


def _compare_sets(difference: _Difference, field: str, stands: Sequence[str], wanted: Sequence[str]) -> None:
    absent = [one for one in wanted if one not in stands]
    if absent:
        difference.changes[field] = [*stands, *absent]
        difference.why.append(f"{field} lacks {', '.join(absent)}")
    more = [one for one in stands if one not in wanted]
    if more:
        difference.notes.append(f"{field} has {', '.join(more)} as well: kept")


def _compare_limits(difference: _Difference, field: str, stands: int | None, wanted: int | None) -> None:
    if _size(stands) < _size(wanted):
        difference.change(field, stands, wanted)
    elif _size(stands) > _size(wanted):
        difference.notes.append(f"{field} is {_said(stands)}, more than {_said(wanted)}: kept")


def _compare_switches(difference: _Difference, field: str, *, is_on: bool, wanted: bool) -> None:
    if wanted and not is_on:
        difference.change(field, is_on, wanted)
    elif is_on and not wanted:
        difference.notes.append(f"{field} is on: kept")


def _size(limit: int | None) -> float:
    """The server writes no limit as 0 or -1."""
    return limit if limit is not None and limit > 0 else float("inf")


def _filters(config: Config) -> Sequence[str]:
    """One subject may be told either way."""
    one = config.get("filter_subject")
    return config.get("filter_subjects") or ([one] if one else [])


def _said(value: object) -> str:
    return "none" if value is None else str(value)
