"""unibpf.client.rates: two answers of one boot, and what is said of others."""

from msgspec.structs import replace

from unibpf.client.rates import between
from unibpf.messages.status import ElementStatus, GuestStatus, NicStatus


def answer(*, uptime: float, packets: int, lost: int, nonce: str = "a") -> GuestStatus:
    nic = NicStatus(
        name="in0", mac="", rx_packets=packets, rx_bytes=100 * packets, tx_packets=0, tx_bytes=0,
        rx_dropped=lost, tx_dropped=0, rx_no_slot=lost,
    )  # fmt: skip
    element = ElementStatus(name="fw", class_name="BPFFilter", packets=packets, drops={"program": lost, "full": 7})
    return GuestStatus(
        guest="g", boot_nonce=nonce, uptime_ns=int(uptime * 1e9), audience="edge", elements=[element], nics=[nic],
        memory_total=0, memory_used=0, memory_peak=0, graph="", graph_sequence=1, graph_digest="0" * 64, longest_gap_ns=0,
    )  # fmt: skip


def test_rates_are_of_the_guests_own_clock() -> None:
    found = between(answer(uptime=10, packets=100, lost=0), answer(uptime=12, packets=300, lost=50))
    assert found is not None and found.seconds == 2
    (nic,), (element,) = found.nics, found.elements
    assert (nic.rx_packets, nic.rx_bits, nic.dropped) == (100, 80_000, 50)
    assert (element.packets, element.drops) == (100, {"program": 25})


def test_another_boot_or_no_time_between_them_gives_none() -> None:
    first = answer(uptime=10, packets=1, lost=0)
    assert between(first, answer(uptime=11, packets=1, lost=0, nonce="b")) is None
    assert between(first, first) is None


def test_a_nic_or_element_that_was_not_there_before_is_left_out() -> None:
    first = replace(answer(uptime=1, packets=1, lost=0), nics=[], elements=[])
    found = between(first, answer(uptime=2, packets=1, lost=0))
    assert found is not None and (found.nics, found.elements) == ([], [])
