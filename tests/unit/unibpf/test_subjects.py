"""unibpf.subjects: a row makes subjects and patterns, and refuses what it has no place for."""

import pytest

from unibpf import subjects


def test_a_row_is_filled_in_by_the_order_of_its_parameters() -> None:
    assert subjects.upload("ci", "fw") == "unibpf.v1.program.upload.ci.fw"
    assert subjects.element("rolled_back", "fw1", "fw") == "unibpf.v1.element.rolled_back.fw1.fw"
    assert subjects.verify() == "unibpf.v1.verifier.verify"


@pytest.mark.parametrize("names", [(), ("fw", "more")])
def test_a_wrong_number_of_names_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"got {len(names)} names, expected 1"):
        subjects.verified(*names)


def test_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="got state `lost`"):
        subjects.guest_state("lost", "fw1")


def test_patterns_match_all_parameters_but_those_that_are_kept() -> None:
    assert list(subjects.upload.patterns(identity="ci")) == ["unibpf.v1.program.upload.ci.*"]
    assert list(subjects.element.patterns()) == ["unibpf.v1.element.*.*.*"]


def test_states_that_have_neighbours_are_matched_one_by_one() -> None:
    """So that who may say that a guest runs may not ask for one."""
    assert "unibpf.v1.guest.running.*" in subjects.guest_state.patterns()
    assert "unibpf.v1.guest.*.*" not in subjects.guest_state.patterns()


@pytest.mark.parametrize("row", subjects.SUBJECTS, ids=lambda row: row.name)
def test_a_subject_is_stored_or_served(row: subjects.Subject) -> None:
    assert (row.stream is None) != (row.server is None)
    assert (row.server is None) == (row.answer is None)
