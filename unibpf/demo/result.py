"""`build/demo.json`: what the demo measured, every figure from this run."""

import msgspec


class GuestResult(msgspec.Struct, kw_only=True):
    """The guest that ran; `boot_ms` from starting QEMU to the guest's ready line."""

    machine: str
    accel: str
    boot_ms: float


class StallResult(msgspec.Struct, kw_only=True):
    """What a machine that was too busy cost: packets lost, by hop, and for how long generator and QEMU were not run."""

    lost_at: dict[str, int]
    generator_ms: float
    qemu_ms: float


class UpdateResult(msgspec.Struct, kw_only=True):
    """The update under traffic. `longest_gap_us` is the guest's own: between two batches, from staging to the swap.

    `packets_lost` are those that the swap lost; what a stall of the machine cost is in `stall`, where there was one.
    """

    publish_to_active_ms: float
    guest_stage_ms: float
    longest_gap_us: float
    packets_sent: int
    packets_lost: int
    map_entries_before: int
    map_entries_kept: int
    hits_before: dict[str, int] = {}
    hits_after: dict[str, int] = {}
    first_dropped_number: int = -1
    stall: StallResult | None = None


class Refusal(msgspec.Struct, kw_only=True):
    """One bad update: what it was, who refused it, by which rule."""

    what: str
    by: str
    rule: str


class SpanResult(msgspec.Struct, kw_only=True):
    """One span of the update's trace."""

    name: str
    service: str
    ms: float


class TraceResult(msgspec.Struct, kw_only=True):
    """The update's trace."""

    trace_id: str
    spans: list[SpanResult]


class DemoResult(msgspec.Struct, kw_only=True):
    """The whole file."""

    guest: GuestResult
    update: UpdateResult
    refused: list[Refusal]
    trace: TraceResult
