"""unibpf.host.outcomes: the newest release and the newest good one are two things."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from tests.support.signing.signing import SIGNED
from unibpf.host.outcomes import KEPT, Outcome, OutcomeFile, choose, newest_of, note, told, untold


def release(sequence, **fields):
    return replace(SIGNED, sequence=sequence, envelope=sha256(str(sequence).encode()).hexdigest(), **fields)


def outcome(sequence, state="active", **fields):
    return Outcome(release=release(sequence), state=state, **fields)


def history(*rows):
    found = {}
    for row in rows:
        found = note(found, "fw", row)
    return found


def chosen(outcomes, newest):
    return choose(outcomes, "fw", "firewall", newest)


def test_a_release_that_was_never_tried_is_chosen_over_an_older_good_one():
    assert chosen(history(outcome(1)), release(2)).release == release(2)


def test_what_was_rolled_back_or_refused_gives_way_to_the_newest_good_one():
    for state in ("rolled_back", "refused"):
        choice = chosen(history(outcome(1), outcome(2), outcome(3, state, rule="budget")), release(3))
        assert choice.release == release(2)
        assert "release 3" in choice.why and "budget" in choice.why


def test_a_release_pushed_again_after_a_roll_back_is_a_new_one():
    assert chosen(history(outcome(1), outcome(2, "rolled_back")), release(3)).release == release(3)


def test_without_any_good_release_nothing_runs_and_the_reason_is_said():
    choice = chosen(history(outcome(1, "refused", rule="memory")), release(1))
    assert choice.release is None and "memory" in choice.why
    assert "never pushed" in chosen({}, None).why


def test_a_lost_store_leaves_what_was_good_on_this_host():
    choice = chosen(history(outcome(1)), None)
    assert choice.release == release(1) and choice.why is None


def test_an_older_release_on_the_bus_than_what_was_good_here_is_not_a_way_back():
    assert chosen(history(outcome(5)), release(4)).release == release(5)


def test_outcomes_of_another_element_or_program_say_nothing():
    assert choose(history(outcome(1)), "other", "firewall", None).release is None
    assert choose(history(outcome(1)), "fw", "nat", None).release is None


def test_a_later_outcome_of_the_same_release_replaces_the_earlier_one():
    found = history(outcome(1), outcome(2), outcome(2, "rolled_back"))
    assert [(one.release.sequence, one.state) for one in found["fw"]] == [(1, "active"), (2, "rolled_back")]


def test_records_are_bounded_and_the_newest_good_one_is_never_forgotten():
    found = history(outcome(1), *(outcome(n, "refused") for n in range(2, 3 * KEPT)))
    assert len(found["fw"]) == KEPT
    assert chosen(found, release(3 * KEPT - 1)).release == release(1)


def test_of_a_release_for_the_element_and_one_for_all_the_newer_wins():
    assert newest_of([release(1), None, release(2)]) == release(2)
    assert newest_of([None, None]) is None


def test_the_file_keeps_records_and_the_bytes_of_what_was_active(tmp_path):
    file = OutcomeFile(tmp_path)
    assert file.read() == {} and file.take(release(1)) is None
    for sequence in (1, 2, 3):
        file.note("fw", outcome(sequence))
        file.shelve(release(sequence), b"envelope", b"bundle %d" % sequence)
    assert file.take(release(3)) == (b"envelope", b"bundle 3")
    assert file.take(release(2)) is not None and file.take(release(1)) is None
    assert (tmp_path / "outcomes.json").stat().st_mode & 0o077 == 0


def test_files_that_cannot_be_read_say_nothing_and_break_nothing(tmp_path):
    file = OutcomeFile(tmp_path)
    file.note("fw", outcome(1))
    file.shelve(release(1), b"e", b"b")
    (tmp_path / "outcomes.json").write_bytes(b'{"fw": [1]}')
    (tmp_path / "shelf" / f"{release(1).envelope}.cbor").write_bytes(b"\xff")
    assert file.read() == {} and file.take(release(1)) is None
    file.note("fw", outcome(2))
    assert list(file.read()) == ["fw"]
    assert (tmp_path / "outcomes.unreadable.json").read_bytes() == b'{"fw": [1]}', "what a newer version wrote is kept"


@pytest.mark.parametrize("spoilt", [b'{"fw": [1]}', b"[]", b"", b"\xff"])
def test_outcomes_that_cannot_be_read_are_an_alarm_until_somebody_looked(tmp_path, spoilt):
    file = OutcomeFile(tmp_path)
    assert file.alarm() is None
    (tmp_path / "outcomes.json").write_bytes(spoilt)
    assert "can't be read" in str(file.alarm())
    file.note("fw", outcome(2))
    assert "put aside" in str(file.alarm())
    (tmp_path / "outcomes.unreadable.json").unlink()
    assert file.alarm() is None


def test_an_end_that_was_written_and_not_told_is_found_until_it_is_told():
    rows = history(outcome(1, at_us=10, untold=True), outcome(2, "refused", at_us=5, untold=True), outcome(3, at_us=1))
    assert [one.release.sequence for _, one in untold(rows, before_us=11)] == [2, 1]
    assert [one.release.sequence for _, one in untold(rows, before_us=10)] == [2]
    after = told(rows, "fw", envelope=release(1).envelope, push_id="")
    assert [one.release.sequence for _, one in untold(after, before_us=11)] == [2]
    assert told(after, "fw", envelope=release(1).envelope, push_id="") is None
    assert untold(told(after, "fw", envelope="", push_id=SIGNED.push_id), before_us=11) == []


def test_what_is_told_is_on_the_disk(tmp_path):
    file = OutcomeFile(tmp_path)
    file.told("fw", envelope=release(1).envelope, push_id="")
    assert not (tmp_path / "outcomes.json").exists()
    file.note("fw", outcome(1, at_us=1, untold=True))
    file.told("fw", envelope=release(1).envelope, push_id="")
    assert OutcomeFile(tmp_path).read() == {"fw": [outcome(1, at_us=1)]}
