"""What passes through a guest now: the difference of two of its own answers, per second."""

from msgspec import Struct

from unibpf.messages.status import ElementStatus, GuestStatus, NicStatus


class ElementRate(Struct, frozen=True, kw_only=True):
    """Packets and drops (by reason) a second of one element."""

    name: str
    class_name: str
    packets: float
    drops: dict[str, float] = {}


class NicRate(Struct, frozen=True, kw_only=True):
    """What one NIC receives, sends and drops a second."""

    name: str
    rx_packets: float
    rx_bits: float
    tx_packets: float
    tx_bits: float
    dropped: float


class GuestRates(Struct, frozen=True, kw_only=True):
    """All of it, over `seconds` of the guest's own clock."""

    guest: str
    seconds: float
    nics: list[NicRate]
    elements: list[ElementRate]


def between(earlier: GuestStatus, later: GuestStatus) -> GuestRates | None:
    """None where the two are not of one boot, in this order."""
    seconds = (later.uptime_ns - earlier.uptime_ns) / 1e9
    if earlier.boot_nonce != later.boot_nonce or seconds <= 0:
        return None
    nics = {one.name: one for one in earlier.nics}
    elements = {one.name: one for one in earlier.elements}
    return GuestRates(
        guest=later.guest,
        seconds=seconds,
        nics=[_nic(nics[one.name], one, seconds) for one in later.nics if one.name in nics],
        elements=[_element(elements[one.name], one, seconds) for one in later.elements if one.name in elements],
    )


def _nic(earlier: NicStatus, later: NicStatus, seconds: float) -> NicRate:
    lost = later.rx_dropped + later.tx_dropped + later.rx_no_slot
    lost -= earlier.rx_dropped + earlier.tx_dropped + earlier.rx_no_slot
    return NicRate(
        name=later.name,
        rx_packets=(later.rx_packets - earlier.rx_packets) / seconds,
        rx_bits=8 * (later.rx_bytes - earlier.rx_bytes) / seconds,
        tx_packets=(later.tx_packets - earlier.tx_packets) / seconds,
        tx_bits=8 * (later.tx_bytes - earlier.tx_bytes) / seconds,
        dropped=lost / seconds,
    )


def _element(earlier: ElementStatus, later: ElementStatus, seconds: float) -> ElementRate:
    drops = {why: (count - earlier.drops.get(why, 0)) / seconds for why, count in later.drops.items()}
    return ElementRate(
        name=later.name,
        class_name=later.class_name,
        packets=(later.packets - earlier.packets) / seconds,
        drops={why: rate for why, rate in drops.items() if rate},
    )
