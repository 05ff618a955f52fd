"""unibpf.client.guest_maps: `[maps]` of a guest file, in the forms of `unibpf map set`."""

import tomllib

import pytest

from unibpf.client.guest_maps import desired_maps
from unibpf.messages.desired_maps import MAX_BYTES, MAX_ENTRIES

FILE = """
[lb]
backends = [{ key = 0, value = "0a000001" }, [1, 7]]

[lb.weights]
53 = 1
"0x10" = "10.0.0.7"
"10.0.0.0/8" = { weight = 3, tags = [1, 2] }
'{"src": "10.0.0.1", "dport": 53}' = "hex:0a00"
"hex:0a000001" = true

["Filter@1".closed]
1 = "0x20"
"""


def faults_of(text: str) -> list[str]:
    return desired_maps(tomllib.loads(text))[1]


def test_keys_and_values_are_written_as_map_set_takes_them():
    found, faults = desired_maps(tomllib.loads(FILE))
    assert faults == []
    assert {(one.element, one.map): one.entries for one in found} == {
        ("lb", "backends"): [(0, "0a000001"), (1, 7)],
        ("lb", "weights"): [
            (53, 1),
            (16, "10.0.0.7"),
            ("10.0.0.0/8", {"weight": 3, "tags": [1, 2]}),
            ({"src": "10.0.0.1", "dport": 53}, "hex:0a00"),
            ("hex:0a000001", True),
        ],
        ("Filter@1", "closed"): [(1, 32)],
    }
    assert desired_maps({}) == ([], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lb = 1", "`maps.lb`: got int, expected a table of maps"),
        ("[lb]\nweights = 1", "`maps.lb.weights`: got int, expected a list of entries"),
        ('[lb.weights]\n"0a000001" = 1', "`maps.lb.weights`: `0a000001` may be bytes; write `hex:0a000001`"),
        ('[lb.weights]\n"{" = 1', "is not JSON"),
        ("[lb.weights]\n1 = 2026-12-01", "expected a number, text, a table or a list"),
        ("[lb.weights]\n1 = { at = [07:00:00] }", "expected a number, text, a table or a list"),
        ("[lb]\nweights = [[1]]", "`maps.lb.weights`: entry 0: got `[1]`"),
        ('[lb."a b"]\n1 = 1', "`maps.lb.a b`: Expected `str` matching regex"),
        ('["1b".m]\n1 = 1', "`maps.1b.m`: Expected `str` matching regex"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, said):
    (fault,) = faults_of(text)
    assert said in fault


def test_all_that_is_wrong_is_said_at_once():
    assert len(faults_of('a = 1\n[b]\nc = 2\n[d."e f"]\n1 = 1')) == 3
    assert desired_maps([1])[1] == ["`maps`: got list, expected tables `[maps.ELEMENT.MAP]`"]


def test_a_file_has_so_many_entries_and_bytes_of_them_at_most():
    many = {"lb": {"a": {str(n): 1 for n in range(MAX_ENTRIES)}, "b": {"1": 1}}}
    assert desired_maps(many)[1] == [f"`maps`: got {MAX_ENTRIES + 1} entries, expected at most {MAX_ENTRIES}"]
    (fault,) = desired_maps({"lb": {"a": {"1": {"x": "y" * MAX_BYTES}}}})[1]
    assert "bytes, expected at most" in fault
