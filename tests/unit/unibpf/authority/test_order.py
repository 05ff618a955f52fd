"""unibpf.authority.order: no old command after a newer one, in this process or the next."""

from pathlib import Path

import pytest

from unibpf.authority.order import Order


def test_what_was_said_last_outlives_the_process_and_never_falls(tmp_path: Path) -> None:
    order = Order(tmp_path / "commands.json")
    order.raise_to("fw1", 7)
    order.raise_to("fw1", 5)
    order.raise_to("fw2", 1)
    again = Order(tmp_path / "commands.json")
    assert (again.last("fw1"), again.last("fw2"), again.last("fw3")) == (7, 1, 0)
    assert (tmp_path / "commands.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"fw1": "soon"}'])
def test_a_spoilt_file_is_said_and_begins_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "commands.json"
    path.write_bytes(content)
    assert Order(path).last("fw1") == 0
    assert "begins anew" in caplog.text


def test_without_a_file_it_is_kept_in_memory() -> None:
    order = Order()
    order.raise_to("fw1", 1)
    assert order.last("fw1") == 1
