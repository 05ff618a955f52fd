"""unibpf.bus.stores.fill: what is an alarm."""

import pytest

from unibpf.bus.stores import fill


@pytest.mark.parametrize(
    ("discard", "limits", "held", "used", "by", "is_alarm"),
    [
        ("new", {"max_bytes": 100}, {"bytes": 90, "messages": 7}, 0.9, "bytes", True),
        ("new", {"max_bytes": 100}, {"bytes": 89, "messages": 7}, 0.89, "bytes", False),
        ("new", {"max_bytes": 100, "max_msgs": 10}, {"bytes": 1, "messages": 10}, 1.0, "messages", True),
        ("old", {"max_bytes": 100}, {"bytes": 100, "messages": 7}, 1.0, "bytes", False),
        ("new", {"max_bytes": -1, "max_msgs": 0}, {"bytes": 1 << 50, "messages": 7}, 0.0, "bytes", False),
    ],
)
def test_what_refuses_when_full_is_an_alarm_from_ninety_percent(discard, limits, held, used, by, is_alarm):
    found = fill.of({"name": "S", "discard": discard, **limits}, held)
    assert (found.used, found.by, found.is_alarm) == (used, by, is_alarm)
