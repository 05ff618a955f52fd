"""services.deployer.desires: a wish, an end, and what is neither."""

import msgspec

from services.deployer.desires import Wanted, read, still_lacking
from tests.support.signing.signing import SIGNED
from unibpf.bus import Entry
from unibpf.host.guest_folder import Boot
from unibpf.host.outcomes import Outcome
from unibpf.messages.guests import GuestSpec


def spec(guest, host=None):
    return GuestSpec(guest=guest, audience="edge", graph="a", host=host)


def entry(key, value, revision=7):
    return Entry(
        key=key, value=msgspec.json.encode(value) if isinstance(value, GuestSpec) else value, revision=revision
    )


def test_a_guest_for_this_host_or_for_any_is_wanted_with_its_revision():
    found = read([entry("a", spec("a")), entry("b", spec("b", "here"))], host="here", known=())
    assert found.meant == {"a": Wanted(spec=spec("a"), revision=7), "b": Wanted(spec=spec("b", "here"), revision=7)}
    assert not found.ended and not found.unclear


def test_a_tombstone_and_another_host_are_ends():
    found = read([entry("a", None), entry("b", spec("b", "there"))], host="here", known=["a", "b"])
    assert (found.ended, found.meant, found.unclear) == ({"a", "b"}, {}, {})


def test_an_empty_store_is_unclear_about_every_guest_that_is_here():
    found = read([], host="here", known=["a"])
    assert not found.ended and not found.meant
    assert "apply its guest file again" in found.unclear["a"]


def test_a_record_of_a_newer_version_or_of_another_name_is_unclear():
    records = [entry("a", b'{"guest": 1}'), entry("b", b"\xff"), entry("c", spec("d"))]
    found = read(records, host="here", known=["a", "b", "c"])
    assert set(found.unclear) == {"a", "b", "c"} and not found.ended and not found.meant


def boot(**fields):
    return Boot(
        boot_id="1",
        spec=spec("a"),
        seed=b"",
        machine="process",
        accel="none",
        control="",
        started_us=100,
        lacking={"fw": "never pushed"},
        **fields,
    )


def test_an_element_lacks_its_program_until_one_became_active_in_this_boot():
    before = {"fw": [Outcome(release=SIGNED, state="active", at_us=99)]}
    since = {"fw": [Outcome(release=SIGNED, state="active", at_us=101)]}
    refused = {"fw": [Outcome(release=SIGNED, state="refused", at_us=101)]}
    assert still_lacking(boot(), before) == still_lacking(boot(), refused) == {"fw": "never pushed"}
    assert still_lacking(boot(), since) == {}
