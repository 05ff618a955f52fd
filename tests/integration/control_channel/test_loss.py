"""Updates of 249 KB over a path that loses, repeats and reorders datagrams."""

import time
from pathlib import Path

import pytest

from services.reconfigurer.coap_client import CoapClient
from tests.support.guests import live_guest
from tests.support.guests.live_guest import PASS, counting_filter, first_program
from tests.support.guests.lossy import Faults, lossy_relay
from tests.support.signing.signing import Signer
from unibpf.formats import control_mac

LARGE = counting_filter(PASS, filler=31_500)
PATH = "/elements/fw/program"
PATHS = {
    "2 %": Faults(lost=0.02),
    "10 %": Faults(lost=0.1),
    "reordered": Faults(delayed=0.1),
    "repeated": Faults(repeated=0.3),
    "all": Faults(lost=0.05, repeated=0.1, delayed=0.05),
}


@pytest.mark.parametrize("faults", PATHS.values(), ids=PATHS.keys())
async def test_a_large_update_arrives_over_a_bad_path_within_seconds(
    signer: Signer, bin_directory: Path, faults: Faults
) -> None:
    assert len(LARGE) > 249_000
    image = live_guest.boot(signer, programs=[first_program(signer, live_guest.V1)])
    client = await CoapClient.create(limit=5)
    try:
        with (
            live_guest.running("process", bin_directory, image) as live,
            lossy_relay(live.channel.address, faults) as address,
        ):
            sealed = live.channel.seal("PUT", PATH, signer.update(LARGE, sequence=2))
            started = time.monotonic()
            answer = await client.exchange(address, "PUT", PATH, sealed.message)
            took = time.monotonic() - started
            control_mac.open_answer(live.channel.keys, answer.payload, request=sealed, code=answer.code)
            assert answer.dotted == "2.04"
            assert took < 15
            assert live.channel.element("fw")[4] == 2
    finally:
        await client.close()
