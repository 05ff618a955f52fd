"""unibpf/push/compile.py: C in, object out."""

import shutil
from pathlib import Path

import pytest

from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.programs.programs import FOLDER
from unibpf.push.compile import CompileError, compile_c


def test_the_same_source_gives_the_same_object_wherever_it_lies(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "maps.c", tmp_path)
    assert compile_c(tmp_path / "maps.c") == compile_c(FOLDER / "maps.c")


def test_defines_reach_the_source(tmp_path: Path) -> None:
    source = tmp_path / "p.c"
    source.write_text('__attribute__((section("xdp"))) int p(void *c) { return VERDICT; }\n')
    first, second = (
        frontend.translate(compile_c(source, defines=[f"VERDICT={verdict}"]), Options()).bundle for verdict in (1, 2)
    )
    assert first != second


def test_the_compilers_words_are_the_errors(tmp_path: Path) -> None:
    source = tmp_path / "p.c"
    source.write_text("int p(void) { return 1 }\n")
    with pytest.raises(CompileError, match=r"p\.c:1:23: error: expected ';'"):
        compile_c(source)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="cannot be read"):
        compile_c(tmp_path / "none.c")


# What <linux/icmp.h> and half of the C library's network headers need is the machine's name: BPF has none of its own.
@pytest.mark.parametrize(
    "header",
    [
        "linux/icmp.h",
        "linux/in6.h",
        "linux/icmpv6.h",
        "netinet/in.h",
        "netinet/ip.h",
        "netinet/ip6.h",
        "netinet/tcp.h",
        "netinet/if_ether.h",
        "arpa/inet.h",
        "net/ethernet.h",
        "sys/socket.h",
        "stdint.h",
        "string.h",
        "errno.h",
    ],
)
def test_debians_headers_may_be_included(tmp_path: Path, header: str) -> None:
    source = tmp_path / "p.c"
    source.write_text(f'#include <{header}>\n__attribute__((section("xdp"))) int p(void *c) {{ return 2; }}\n')
    assert frontend.translate(compile_c(source), Options()).instructions == 2
