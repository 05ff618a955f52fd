"""services.deployer.machines.console: only a whole ready line counts."""

import asyncio

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
