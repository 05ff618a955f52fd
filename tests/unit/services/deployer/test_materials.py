"""services.deployer.materials: a signer that cannot sign now is no verdict on a graph."""

import pytest

from services.deployer.errors import BootError
from services.deployer.materials import fetch
from tests.support.guests.guests import spec
from unibpf.bus import BusNotReady, RequestFailed


class Signer:
    """A bus whose signer answers one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def request(self, *_arguments, **_options):
        raise self.error


@pytest.mark.parametrize(
    ("error", "is_passing"),
    [
        (RequestFailed("403", "audience: not for this identity"), False),
        (RequestFailed("503", "hsm: the token is not there"), True),
        (BusNotReady("no service listens"), True),
    ],
)
async def test_only_a_refusal_is_held_against_the_specification(error, is_passing) -> None:
    with pytest.raises(BootError) as caught:
        await fetch(Signer(error), spec(), outcomes=None)
    assert caught.value.is_passing is is_passing
