"""services.reconfigurer.timings: the guest's steps stay inside the exchange and keep their order and length."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.reconfigurer.timings import place

STEPS = [("parse", 0, 10), ("signature", 10, 70)]


def test_steps_end_half_of_the_unexplained_time_before_the_answer():
    placed = place(STEPS, sent_ns=1000, received_ns=1100)
    assert [(step.name, step.start_ns, step.end_ns) for step in placed] == [
        ("parse", 1010, 1020),
        ("signature", 1020, 1090),
    ]


def test_nothing_to_place_is_nothing():
    assert place([], sent_ns=0, received_ns=5) == []


times = st.integers(min_value=0, max_value=10**12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.just("s"), times, times), max_size=5), times, times)
def test_no_step_leaves_the_exchange(steps, sent_ns, length):
    for step in place(steps, sent_ns=sent_ns, received_ns=sent_ns + length):
        assert sent_ns <= step.start_ns <= step.end_ns <= sent_ns + length
