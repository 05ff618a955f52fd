"""Large updates in a guest of the default memory: 16,000 instructions change no engine; what does, says so."""

from tests.support.guests.live_guest import PASS, V1, LiveGuest, counting_filter
from tests.support.signing.signing import Signer
from unibpf.formats.control_keys import ElementKey, UpdateKey

LARGE = counting_filter(PASS, filler=64_000)


def test_large_updates_one_after_the_other_all_run_natively(guest: LiveGuest, signer: Signer) -> None:
    engines = []
    for sequence in range(11, 16):
        update = signer.update(counting_filter(PASS, filler=16_000 + sequence), sequence=sequence)
        assert guest.channel.request("PUT", "/elements/fw/program", update).name == "2.04"
        engines.append(guest.channel.element("fw")[ElementKey.ENGINE])
    assert engines == ["jit"] * 5
    assert guest.passes()


def test_an_update_says_what_the_engine_was(guest: LiveGuest, signer: Signer) -> None:
    """64,000 instructions in 8 MiB run interpreted, and the answer tells both engines; a process has more memory."""
    expected = {"microvm": "interpreter", "process": "jit"}[guest.machine]
    small = guest.channel.request("PUT", "/elements/fw/program", signer.update(V1, sequence=20))
    assert small.body[UpdateKey.ENGINE] == "jit"
    answer = guest.channel.request("PUT", "/elements/fw/program", signer.update(LARGE, sequence=21))
    assert (answer.name, answer.rule) == ("2.04", None)
    assert (answer.body[UpdateKey.ENGINE_BEFORE], answer.body[UpdateKey.ENGINE]) == ("jit", expected)
    assert guest.passes()
    back = guest.channel.request("PUT", "/elements/fw/program", signer.update(V1, sequence=22))
    assert (back.body[UpdateKey.ENGINE_BEFORE], back.body[UpdateKey.ENGINE]) == (expected, "jit")
