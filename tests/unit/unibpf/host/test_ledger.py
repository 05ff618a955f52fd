"""unibpf.host.ledger: what was signed is known for as long as it could be asked for again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from unibpf.host import ledger as ledgers
from unibpf.host.ledger import GRACE_MS, Ledger, LedgerError, Row

NOW_MS = 1_700_000_000_000
ROW = Row(
    push="UNIBPF_UPLOADS:1", pushed_ms=NOW_MS, object="0" * 64, counter="program.edge.fw", element="*", sequence=9,
    bundle="1" * 64, policy="p",
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def opened(path: Path) -> Ledger:
    return Ledger.open(path, now_ms=NOW_MS)


def numbered(number: int) -> Row:
    return replace(ROW, push=f"UNIBPF_UPLOADS:{number}", pushed_ms=NOW_MS + number, sequence=number)


def test_a_push_is_known_by_its_number_and_its_time(path: Path) -> None:
    opened(path).note(ROW)
    again = opened(path)
    assert again.find(ROW.push, ROW.pushed_ms) == ROW
    assert again.find(ROW.push, ROW.pushed_ms + 1) is None, "another store counts from one again"
    assert again.find("UNIBPF_UPLOADS:2", ROW.pushed_ms) is None


def test_who_notes_a_push_second_gets_what_stands(path: Path) -> None:
    first, second = opened(path), opened(path)
    assert first.note(ROW) == ROW
    assert second.note(replace(ROW, sequence=10)) == ROW
    assert second.fulfil(ROW, "a" * 64).envelope == first.fulfil(ROW, "b" * 64).envelope == "a" * 64
    assert opened(path).newest("program.edge.fw", "*") == replace(ROW, envelope="a" * 64)


def test_signers_of_one_host_see_each_others_records(path: Path) -> None:
    one, other = opened(path), opened(path)
    one.note(ROW)
    assert other.find(ROW.push, ROW.pushed_ms) == ROW
    assert other.highest("program.edge.fw") == 9


def test_many_at_once_lose_nothing(path: Path) -> None:
    books = [opened(path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: books[number % 4].note(numbered(number)), range(200)))
    last = opened(path)
    assert all(last.find(f"UNIBPF_UPLOADS:{number}", NOW_MS + number) for number in range(200))
    assert last.highest("program.edge.fw") == 199


def test_numbers_only_rise(path: Path) -> None:
    book = opened(path)
    for number in (5, 3, 4):
        book.note(numbered(number))
    book.recover("program.edge.fw", 2)
    assert book.highest("program.edge.fw") == 5
    book.recover("program.edge.fw", 1 << 60)
    assert (opened(path).highest("program.edge.fw"), opened(path).recovered("program.edge.fw")) == (1 << 60, 1 << 60)


def test_a_new_one_closes_what_was_pushed_before_it(path: Path) -> None:
    assert opened(path).closed_ms == NOW_MS - GRACE_MS
    assert Ledger.open(path, now_ms=NOW_MS + 10**9).closed_ms == NOW_MS - GRACE_MS, "opened again it is as it was"


def test_what_is_forgotten_is_closed_and_its_numbers_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "KEPT", 10)
    book, other = opened(path), opened(path)
    book.fulfil(book.note(replace(numbered(0), counter="program.edge.nat")), "a" * 64)
    for number in range(1, 60):
        book.note(numbered(number))
    for known in (book, other, opened(path)):
        for number in range(1, 60):
            is_known = known.find(f"UNIBPF_UPLOADS:{number}", NOW_MS + number) is not None
            assert is_known or NOW_MS + number < known.closed_ms, number
        assert known.find("UNIBPF_UPLOADS:59", NOW_MS + 59) is not None
        assert (known.highest("program.edge.fw"), known.highest("program.edge.nat")) == (59, 0)
        newest = known.newest("program.edge.nat", "*")
        assert newest is not None and newest.envelope == "a" * 64, "the newest of each is never forgotten"
    assert len(path.read_bytes().splitlines()) < 40


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_line_that_a_crash_cut_short_goes_and_the_next_is_whole(path: Path, cut: int) -> None:
    opened(path).note(ROW)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:-cut])
    book = opened(path)
    assert path.read_bytes() == whole
    book.note(numbered(7))
    assert opened(path).find(ROW.push, ROW.pushed_ms) == ROW
    assert opened(path).find("UNIBPF_UPLOADS:7", NOW_MS + 7) is not None


@pytest.mark.parametrize("junk", [b"junk\n", b'{"row":{"push":1}}\n', b"\xff\n", b"[]\n"])
def test_nothing_is_signed_by_a_spoilt_one(path: Path, junk: bytes) -> None:
    opened(path).note(ROW)
    path.write_bytes(path.read_bytes() + junk)
    with pytest.raises(LedgerError, match="is spoilt"):
        opened(path)
    assert "is spoilt" in (asyncio.run(Ledger(path).lacking()) or "")


def test_a_newer_version_may_say_more(path: Path) -> None:
    opened(path).note(ROW)
    path.write_bytes(path.read_bytes() + b'{"something":1}\n')
    assert opened(path).find(ROW.push, ROW.pushed_ms) == ROW


def test_one_that_went_away_stops_signing_and_says_so(path: Path) -> None:
    book = opened(path)
    path.unlink()
    with pytest.raises(LedgerError, match="cannot be read"):
        book.find(ROW.push, ROW.pushed_ms)
    assert "cannot be read" in (asyncio.run(book.lacking()) or "")


def test_it_is_its_owners_only(path: Path) -> None:
    opened(path)
    assert path.stat().st_mode & 0o077 == 0
