"""services.reconfigurer.updater: a guest's answer is about what it was asked for, or it is none."""

import pytest
from msgspec.structs import replace

from services.reconfigurer.answers import Outcome
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.plan import Target
from services.reconfigurer.updater import vouched
from unibpf.messages.programs import Signed

TARGET = Target(guest="g1", element="fw")
RELEASE = Signed(
    push_id="UNIBPF_UPLOADS:1", program="firewall", audience="edge", kind="filter", element="*", sequence=9,
    envelope="1" * 64, bundle="2" * 64, policy="p", identity="ci",
)  # fmt: skip
ANSWER = Outcome(
    already=False, element="fw", program="firewall", sequence=9, envelope="1" * 64, steps=[], maps=[], engine="jit"
)


def test_an_answer_about_this_release_is_believed():
    assert vouched(TARGET, RELEASE, ANSWER) is ANSWER


@pytest.mark.parametrize(
    "claim", [{"sequence": 10}, {"sequence": 8}, {"envelope": "3" * 64}, {"program": "nat"}, {"element": "fw2"}]
)
def test_an_answer_about_anything_else_is_none(claim):
    with pytest.raises(GuestUnreachable, match=f"the guest answers with {next(iter(claim))}") as error:
        vouched(TARGET, RELEASE, replace(ANSWER, **claim))
    assert error.value.rule == "answer"
