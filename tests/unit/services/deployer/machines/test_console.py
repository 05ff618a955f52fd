"""services.deployer.machines.console: only a whole ready line counts."""

import asyncio
import tracemalloc

from services.deployer.machines import console

LINE = b"unibpf ready guest=g1 graph=g elements=7 nics=3 ns=4100200\n"


def test_the_ready_line_is_found_among_others():
    ready = console.parse_ready(b"booting\r\n" + LINE.replace(b"\n", b"\r\n") + b"more\n", 5)
    assert (ready.guest, ready.elements, ready.nics, ready.entry_ns, ready.seen_ns) == ("g1", 7, 3, 4100200, 5)


def test_half_a_line_is_not_ready():
    assert all(console.parse_ready(LINE[:end], 0) is None for end in range(len(LINE)))


def test_a_line_that_only_contains_the_words_is_not_ready():
    assert console.parse_ready(b"print: " + LINE, 0) is None


def test_last_words_are_the_last_three_lines():
    assert console.last_words(b"a\n\nb\r\nc\r\nd\n\xff") == "c / d / \\xff"


async def test_waiting_ends_when_the_guest_ended_but_reads_what_it_said_before(tmp_path):
    file, ended = tmp_path / "console", asyncio.Event()
    ended.set()
    assert await console.wait_ready(file, ended) is None
    file.write_bytes(LINE)
    assert (await console.wait_ready(file, ended)).guest == "g1"


async def test_waiting_sees_the_line_when_it_comes(tmp_path):
    file = tmp_path / "console"
    waiting = asyncio.create_task(console.wait_ready(file, asyncio.Event()))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    file.write_bytes(LINE)
    assert (await asyncio.wait_for(waiting, 2)).nics == 3


def test_a_ready_line_has_limits():
    for long in (b"9" * 5000, b"9" * 19):
        assert console.parse_ready(LINE.replace(b"4100200", long), 0) is None
        assert console.parse_ready(LINE.replace(b"elements=7", b"elements=" + long), 0) is None
    assert console.parse_ready(LINE.replace(b"g1", b"g" * 70_000), 0) is None


def test_last_words_are_bounded_whatever_was_said():
    assert len(console.last_words(b"x" * (1 << 20))) <= console.WORDS + 3
    assert len(console.last_words(b"\x00" * (1 << 20))) <= console.WORDS + 3


def test_last_words_cost_the_end_of_the_file_only(tmp_path):
    file = tmp_path / "console-b.log"
    with file.open("wb") as opened:
        opened.truncate(1 << 34)  # sixteen GiB of nothing, sparse
        opened.seek(0, 2)
        opened.write(b"\nits last words\n")
    assert console.read_last_words(file).endswith("its last words")


async def test_each_part_of_a_console_is_read_once_and_a_line_across_two_pieces_is_found(tmp_path, monkeypatch):
    file, read = tmp_path / "console-b.log", []
    monkeypatch.setattr(console, "PIECE_BYTES", 32)
    file.write_bytes(b"x\n" * 1000)
    reading = console._Reading(file)
    while True:
        assert reading.look() is None
        read.append(reading._at)
        if not reading.has_more:
            break
    assert read == sorted(read) and read[-1] == 2000
    for byte in LINE:
        with file.open("ab") as opened:
            opened.write(bytes([byte]))
        found = reading.look()
    assert found is not None and found.guest == "g1"


async def test_a_guest_that_floods_its_console_before_it_is_ready_takes_no_memory(tmp_path):
    file, ended = tmp_path / "console-b.log", asyncio.Event()
    file.write_bytes(b"x" * (4 << 20) + b"\n" + LINE)
    ended.set()
    tracemalloc.start()
    assert (await console.wait_ready(file, ended)).guest == "g1"
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
