"""Every output that shows what an object, file or guest says: names that would erase, recolour or reorder what is printed."""

import io
import json
import logging
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from msgspec import Struct

from services.deployer.machines import console
from unibpf.cli.reports.trace_tree import tree_lines
from unibpf.host import logs
from unibpf.push.compile import compile_c
from unibpf.text import VisibleStream

# Six bytes each: all of them in a row replace MARK, in names, source lines and strings of debugging information.
HOSTILE = {
    "erases a line": b"\x1b[2K\r_",
    "eight-bit escape": b"\xc2\x9b2JAA",
    "bare C1": b"\x9b2JAAA",
    "turns text": b"\xe2\x80\xaeAAA",
    "is no UTF-8": b"\xff\xfe\xc3\x28AA",
    "ends the line": b"\nhint:",
    "invisible": b"\xe2\x80\x8b\xc2\xad_",
    "bell and backspace": b"\x07\x08\x08\x7f__",
}
MARK = "QQQQQQ" * len(HOSTILE)
SOURCE = f"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {{
    __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64);
}} m{MARK} SEC(".maps");
SEC("unibpf/filter") int f{MARK}(struct xdp_md *ctx)
{{
    __u32 {MARK} = 1;
    __u64 *v{MARK} = bpf_map_lookup_elem(&m{MARK}, &{MARK});
    return {{deref}};
}}
char _license[] SEC("license") = "GPL";
"""
COMMANDS = {
    "text": ("verify",),
    "explained": ("verify", "--explain", "--invariants"),
    "graph": ("verify", "--cfg", "dot"),
    "all": ("verify", "--all"),
    "json": ("verify", "--json"),
    "sarif": ("verify", "--sarif"),
    "junit": ("verify", "--junit"),
    "run": ("run", "--maps"),
    "run as json": ("run", "--maps", "--json"),
    "push": ("push", "--audience", "edge"),
}
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


PRINTS = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("unibpf/filter") int prints(struct xdp_md *ctx)
{
    __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (data + 64 > end) return XDP_DROP;
    bpf_printk("%s", data);
    bpf_printk("%c%c", data[0], data[1]);
    return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
"""


def assert_clean(said: bytes) -> None:
    shown = said.decode()  # strictly
    bad = {hex(ord(one)) for one in shown if unicodedata.category(one) in HIDDEN and one not in "\n\t"}
    assert not bad, shown


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp(MARK)
    made = {}
    for name, deref in (("unsafe", f"(int)*v{MARK}"), ("safe", f"v{MARK} ? (int)(*v{MARK} & 1) + 1 : 1")):
        source = folder / f"{MARK}.c"
        source.write_text(SOURCE.replace("{deref}", deref))
        made[name] = compile_c(source)
        assert made[name].count(MARK.encode()) > 3
    return made


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_no_output_passes_on_what_a_name_holds(
    objects: dict[str, bytes], tmp_path: Path, command: tuple[str, ...]
) -> None:
    for verdict, data in objects.items():
        folder = tmp_path / verdict
        folder.mkdir()
        hostile = b"".join(HOSTILE.values())
        named = Path(f"{folder}/{hostile.decode(errors='surrogateescape')}.o")
        named.write_bytes(data.replace(MARK.encode(), hostile))
        environment = {"PATH": "/usr/bin:/bin", "UNIBPF_STATE": str(folder), "HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-m", "unibpf.cli", *command[:1], str(named), *command[1:]],
            capture_output=True, check=False, timeout=60, env=environment, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        for said in (done.stdout, done.stderr):
            assert_clean(said)
            assert b"Traceback" not in done.stderr, done.stderr.decode()
        if "--json" in command and done.stdout:
            for line in done.stdout.splitlines():
                json.loads(line)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_program_prints_of_a_packet_reaches_a_console_as_escapes(
    hostile: bytes, tmp_path: Path, bin_directory: Path
) -> None:
    source = tmp_path / "prints.c"
    source.write_text(PRINTS)
    packet = (hostile.replace(b"\0", b"") * 11)[:63] + b"\0"
    done = subprocess.run(
        [sys.executable, "-m", "unibpf.cli", "run", str(source), "--packet", packet.hex()],
        capture_output=True, check=False, timeout=60, cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "UNIBPF_STATE": str(tmp_path), "HOME": str(tmp_path), "UNIBPF_BIN": str(bin_directory)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count(b"bpf: ") >= 2, said
    assert_clean(said)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_tail_of_a_console_is_clean_in_itself(hostile: bytes, tmp_path: Path) -> None:
    """It goes into events, status and logs; even a hypervisor's own words may stand there."""
    file = tmp_path / "console"
    file.write_bytes(b"booting\r\npanic: " + hostile + b"\r\n" + hostile)
    words = console.read_last_words(file)
    assert "panic: " in words
    assert_clean(words.encode())
    assert "\n" not in words
    ready = console.parse_ready(
        b"unibpf ready guest=" + hostile.replace(b"\n", b"\r") + b" graph=g elements=1 nics=1 ns=1\n", 0
    )
    if ready is not None:  # none where a space stands in it
        assert_clean(ready.guest.encode())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [Terminal, io.StringIO], ids=["terminal", "file"])
@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_log_line_is_one_clean_line(hostile: bytes, stream: type[io.StringIO]) -> None:
    text = hostile.decode(errors="surrogateescape")
    said = stream()
    handlers = logging.getLogger().handlers[:]
    try:
        logs.configure("deployer", stream=said)
        logging.getLogger(text).error("the guest %s ended", text, extra={"guest": text, text: 1})
        logging.getLogger("x").error("it said", exc_info=ValueError(text))
    finally:
        logging.getLogger().handlers[:] = handlers
    assert_clean(said.getvalue().encode())
    assert said.getvalue().splitlines()[0].count("ended") == 1


class Span(Struct):
    name: str
    service: str
    span_id: str = "1"
    parent_id: str | None = None
    start_ns: int = 0
    end_ns: int = 1


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_tree_of_a_trace_has_a_clean_line_for_each_span(hostile: bytes) -> None:
    text = hostile.decode(errors="surrogateescape")
    lines = tree_lines([Span(text, text), Span(text, text, span_id="2", parent_id="1")])
    assert len(lines) == 2
    assert_clean("\n".join(lines).encode())
    assert not any("\n" in line for line in lines)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_that_a_process_writes_passes_its_stream(hostile: bytes) -> None:
    below = io.BytesIO()
    stream = VisibleStream(below, encoding="utf-8", errors="backslashreplace", write_through=True)
    print(hostile.decode(errors="surrogateescape"), file=stream)
    assert_clean(below.getvalue())
