"""Updates of 16,000 instructions in a guest of the default memory: none of them changes the engine."""

from tests.support.guests.live_guest import PASS, LiveGuest, counting_filter
from tests.support.signing.signing import Signer
from unibpf.formats.control_keys import ElementKey


def test_large_updates_one_after_the_other_all_run_natively(guest: LiveGuest, signer: Signer) -> None:
    engines = []
    for sequence in range(11, 16):
        update = signer.update(counting_filter(PASS, filler=16_000 + sequence), sequence=sequence)
        assert guest.channel.request("PUT", "/elements/fw/program", update).name == "2.04"
        engines.append(guest.channel.element("fw")[ElementKey.ENGINE])
    assert engines == ["jit"] * 5
    assert guest.passes()
