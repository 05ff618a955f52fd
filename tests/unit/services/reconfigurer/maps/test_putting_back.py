"""services.reconfigurer.maps.putting_back: what is desired, and what to send for it; tests/integration/guests does it."""

import msgspec

from services.reconfigurer.maps import putting_back
from unibpf.bus import Entry
from unibpf.host.put_back import PutBackRecord
from unibpf.messages.desired_maps import DesiredMap, DesiredMaps

MAPS = DesiredMaps(file=[DesiredMap(element="lb", map="weights", entries=[(1, 1)])])
COPY = PutBackRecord(boot_id="b", desired=MAPS, revision=3)


def entry(value):
    return Entry(key="g1", value=value, revision=7)


def test_what_the_bus_says_counts_and_a_tombstone_says_nothing_is_desired():
    other = DesiredMaps(kept=MAPS.file)
    found = putting_back.choose(entry(msgspec.json.encode(other)), COPY)
    assert (found.maps, found.revision, found.problem) == (other, 7, None)
    assert putting_back.choose(entry(None), COPY).maps == DesiredMaps()


def test_where_the_bus_says_nothing_that_can_be_read_the_hosts_copy_counts():
    assert putting_back.choose(None, COPY).maps == MAPS
    found = putting_back.choose(entry(b'{"file": 1}'), COPY)
    assert found.maps == MAPS and "newer version" in found.problem
    strange = putting_back.choose(Entry(key="g1", value=None, revision=7, fault="nobody signed it"), COPY)
    assert strange.maps == MAPS and strange.problem is not None, "a value that nobody signed is no tombstone"


def test_rows_that_were_kept_come_after_the_files():
    desired = DesiredMaps(file=MAPS.file, kept=[DesiredMap(element="lb", map="weights", entries=[(1, 2)])])
    assert putting_back.rows_of(desired) == {("lb", "weights"): [(1, 1), (1, 2)]}


def test_only_what_differs_is_sent_and_what_is_to_go_goes_first():
    target = {"01": "aa", "02": "bb", "03": None, "04": None}
    assert putting_back.steps(target, {}, is_array=False) == [("03", None), ("04", None), ("01", "aa"), ("02", "bb")]
    there = {"01": "aa", "02": "cc", "04": "dd", "05": "ee"}
    assert putting_back.steps(target, there, is_array=False) == [
        ("04", None),
        ("05", None),
        ("03", None),
        ("02", "bb"),
    ]


def test_places_of_an_array_are_not_deleted():
    assert putting_back.steps({"01": "aa", "02": None}, {"03": "cc"}, is_array=True) == [("01", "aa")]
