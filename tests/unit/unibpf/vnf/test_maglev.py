"""Look-up tables: even, weighted, steady; settings that are wrong."""

from collections import Counter

import pytest

from unibpf.vnf import maglev
from unibpf.vnf.settings import SettingsError, Table, read

NAMES = [bytes([2, 0, 0, 0, 0, number]) for number in range(10)]


def test_backends_of_one_weight_have_the_same_share() -> None:
    counts = Counter(maglev.look_up_table(dict.fromkeys(NAMES, 1)))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_shares_are_as_the_weights() -> None:
    counts = Counter(maglev.look_up_table({NAMES[0]: 1, NAMES[1]: 3, NAMES[2]: 0}))
    assert counts.keys() == {NAMES[0], NAMES[1]}
    assert counts[NAMES[1]] == pytest.approx(3 * counts[NAMES[0]], rel=0.02)


def test_when_a_backend_goes_few_slots_of_others_change() -> None:
    before = maglev.look_up_table(dict.fromkeys(NAMES, 1))
    after = maglev.look_up_table(dict.fromkeys(NAMES[1:], 1))
    changed = sum(old != new for old, new in zip(before, after, strict=True) if old != NAMES[0])
    assert changed < maglev.SLOTS * 0.1


def test_without_a_weight_nobody_has_a_slot() -> None:
    assert maglev.look_up_table({NAMES[0]: 0}) == [None] * maglev.SLOTS


WRONG = [
    ('[[service]]\naddress = "192.0.2.300"', "service[0]: `address` is '192.0.2.300', expected an address"),
    ("[[service]]\nport = 1", "service[0]: `address` is missing"),
    ('[[service]]\naddress = "::1"\nport = 70000', "expected a number from 0 to 65535"),
    ('[[service]]\naddress = "::1"\nprotocol = "ftp"', "expected a number or one of"),
    ('[[service]]\naddress = "::1"\nname = "web"', "service[0]: `name` is not known"),
    ('[[service]]\naddress = "::1"\nbackends = [{number = 0, link = "02:0"}]', "expected a link address"),
    (
        '[[service]]\naddress = "::1"\nbackends = [{number = 0, link = "02:00:00:00:00:01"},'
        ' {number = 0, link = "02:00:00:00:00:02"}]',
        "service[0].backends[1]: backend 0 is described twice",
    ),
    ("services = 1", "the file: `services` is not known"),
    ("service = 1", "`service` is '1', expected a list of tables"),
    ("service = [1]", "service[0]: got int, expected a table"),
    ("=", "line 1"),
    ('[[service]]\naddress = "::1"\n' * 17, "at most 16 services"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_wrong_settings_are_refused_with_their_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        maglev.fill(Table("", read(text.encode())))
    assert said in str(refused.value)
