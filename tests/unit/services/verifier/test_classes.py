"""services/verifier/classes.py: what the guests of a class give a program."""

import pytest

from services.verifier import classes
from services.verifier.classes import Offer
from unibpf.host.settings import SettingError


def offers(words: str) -> classes.Offers:
    return classes.from_environment({classes.NAME: words}, 1_000_000)


def test_a_class_that_is_not_named_gives_what_all_give() -> None:
    assert classes.from_environment({}, 7).of("edge") == Offer(budget=7)
    assert offers(" edge=budget:5 ;").of("core") == Offer(budget=1_000_000)


def test_a_class_gives_what_is_said_of_it() -> None:
    found = offers("edge=budget:200000,memory:64;core=memory:512")
    assert found.of("edge") == Offer(budget=200_000, memory_mib=64)
    assert found.of("core") == Offer(budget=1_000_000, memory_mib=512)


def test_who_pushes_asks_for_less_and_never_for_more() -> None:
    offer = Offer(budget=100)
    assert [offer.asked(budget) for budget in (None, 99, 101)] == [100, 99, 100]


@pytest.mark.parametrize(
    "words",
    [
        "edge",
        "edge=",
        "edge=budget",
        "edge=budget:-1",
        "edge=budget:0",
        "edge=speed:9",
        "Edge=budget:9",
        "a=memory:9999999999",
    ],
)
def test_words_of_another_form_are_refused_by_name(words: str) -> None:
    with pytest.raises(SettingError, match=classes.NAME):
        offers(words)
