"""unibpf.client.maps: what is cut into how many messages; the rest needs a guest (tests/system/test_xdp_filter.py)."""

from unibpf.client.maps import parts
from unibpf.messages.maps import MAX_CHANGE_BYTES, MAX_CHANGES


def test_changes_are_cut_into_messages_by_number_and_by_size_and_keep_their_order():
    small = [(f"{n:08x}", None) for n in range(MAX_CHANGES + 1)]
    assert [len(part) for part in parts(small)] == [MAX_CHANGES, 1]
    assert [change for part in parts(small) for change in part] == small

    largest = ("00" * 512, "00" * 65536)
    assert [len(part) for part in parts([largest, largest, ("00", "00")])] == [1, 1, 1]
    half = ("00" * 4, "00" * (MAX_CHANGE_BYTES // 2 - 4))
    assert [len(part) for part in parts([half] * 5)] == [2, 2, 1]
    assert list(parts([])) == []
