"""Every output that shows what an object or a file is called: names that would erase, recolour or reorder what is printed."""

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from unibpf.push.compile import compile_c

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
            shown = said.decode()  # strictly
            bad = {hex(ord(one)) for one in shown if unicodedata.category(one) in HIDDEN and one not in "\n\t"}
            assert not bad, shown
            assert b"Traceback" not in done.stderr, done.stderr.decode()
        if "--json" in command and done.stdout:
            for line in done.stdout.splitlines():
                json.loads(line)
