"""services.deployer.desired_maps: the record of a guest's desired map entries (tests/integration/guests has them put back)."""

import pytest

from services.deployer.desired_maps import with_change, with_file
from unibpf.bus import Reject
from unibpf.messages.desired_maps import MAX_BYTES, MAX_ENTRIES, DesiredChange, DesiredMap, DesiredMaps


def rows(*entries, name="weights", element="lb"):
    return DesiredMap(element=element, map=name, entries=list(entries))


def change(*entries, name="weights"):
    return DesiredChange(guest="g1", element="lb", map=name, entries=list(entries))


def test_a_file_replaces_what_the_file_before_asked_for_and_leaves_what_was_kept():
    before = DesiredMaps(file=[rows((1, 1))], kept=[rows((2, 2))])
    after = with_file(before, [rows((3, 3))])
    assert after == DesiredMaps(file=[rows((3, 3))], kept=[rows((2, 2))])
    assert with_file(after, [rows((3, 3))]) is None
    assert with_file(None, []) is None


def test_what_is_kept_replaces_an_earlier_entry_of_its_key_and_leaves_other_maps():
    before = DesiredMaps(kept=[rows((1, 1), (2, 2)), rows((1, 9), name="other")])
    after = with_change(before, change((1, 5)))
    assert after == DesiredMaps(kept=[rows((1, 9), name="other"), rows((2, 2), (1, 5))])


def test_a_key_that_is_forgotten_is_gone_or_takes_back_the_files():
    kept = DesiredMaps(kept=[rows((1, 1))])
    assert with_change(kept, change((1, None))) == DesiredMaps()
    filed = DesiredMaps(file=[rows((1, 1))])
    assert with_change(filed, change((1, None))) == DesiredMaps(file=filed.file, kept=[rows((1, None))])
    assert with_change(DesiredMaps(), change((1, None))) is None


def test_a_guest_has_so_many_entries_and_bytes_of_them_at_most():
    full = DesiredMaps(file=[rows(*((number, 1) for number in range(MAX_ENTRIES)))])
    with pytest.raises(Reject, match=f"got {MAX_ENTRIES + 1} desired map entries"):
        with_change(full, change((0, 1)))
    with pytest.raises(Reject, match="bytes of desired map entries"):
        with_file(None, [rows((1, "x" * MAX_BYTES))])
