"""What people read of a refusal: real programs through front end and analyser, with the words that help."""

from pathlib import Path

import pytest

from services.verifier.frontend.frontend import Answer, Options, Platform
from services.verifier.processes import worker
from services.verifier.processes.analysis import EXECUTABLE, Analyser, AnalyserOptions
from services.verifier.verification import Verification
from unibpf.host import fence
from unibpf.messages.base import Kind
from unibpf.messages.reports import Report
from unibpf.push.compile import compile_c

PRELUDE = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#define BEGIN __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end
"""


async def judged(
    bin_directory: Path,
    folder: Path,
    body: str,
    *,
    before: str = "",
    kind: Kind | None = None,
    platform: Platform = "guest",
    budget: int = 1_000_000,
) -> Report:
    source = folder / "program.c"
    source.write_text(f'{PRELUDE}{before}\nSEC("xdp") int program(struct xdp_md *ctx)\n{{\n{body}\n}}\n')
    analyser = Analyser(
        executable=bin_directory / EXECUTABLE, options=AnalyserOptions(platform=platform, budget=budget)
    )
    options = Options(kind=kind, platform=platform)
    return (await Verification(translate=translate, analyser=analyser).verify(compile_c(source), options)).report


async def translate(data: bytes, options: Options) -> Answer:
    return worker.limited(data, options, fence.Limits())


async def test_a_loop_is_spoken_of_as_a_loop_not_as_its_first_round(bin_directory: Path, tmp_path: Path) -> None:
    body = """BEGIN; __u32 sum = 0;
    for (int i = 0; i < 64; i++) {
        if (data + i > end)
            break;
        sum += data[i];
    }
    return sum & 1 ? XDP_DROP : XDP_PASS;"""
    [finding] = (await judged(bin_directory, tmp_path, body)).findings
    assert finding.rule == "packet-bounds"
    assert "packet + [0, 63]" in finding.known[0]
    assert finding.hint == "return before this line unless `(void *)(data + i + 1) <= end`"


async def test_a_header_is_named_as_in_the_source(bin_directory: Path, tmp_path: Path) -> None:
    body = """BEGIN; struct tcphdr *tcp = (void *)(data + 34);
    if (data + 34 > end)
        return XDP_DROP;
    return tcp->dest == 23 ? XDP_DROP : XDP_PASS;"""
    [finding] = (await judged(bin_directory, tmp_path, body)).findings
    assert finding.hint == "return before this line unless `(void *)(tcp + 1) <= end`"


async def test_a_length_without_a_bound_is_called_that(bin_directory: Path, tmp_path: Path) -> None:
    body = """BEGIN; __u8 room[32]; __u32 length = end - data;
    if (bpf_xdp_load_bytes(ctx, 0, room, length))
        return XDP_PASS;
    return room[0] ? XDP_DROP : XDP_PASS;"""
    [finding] = (await judged(bin_directory, tmp_path, body)).findings
    assert "the length of argument 3 of `bpf_xdp_load_bytes` is not bounded by its buffer" in finding.message
    assert "there are 32 bytes" in finding.message
    assert finding.hint == "bound the length before the call, `if (length > 32) return ...;`"


async def test_a_step_that_may_be_0_is_the_reason_for_a_loop_without_end(bin_directory: Path, tmp_path: Path) -> None:
    body = """BEGIN;
    while (data + 2 <= end) {
        if (data[0] == 5)
            return XDP_DROP;
        data += data[1];
    }
    return XDP_PASS;"""
    [finding] = (await judged(bin_directory, tmp_path, body)).findings
    assert finding.rule == "termination"
    assert "by a number that may be 0" in finding.message
    assert "if (length == 0) break;" in (finding.hint or "")


async def test_a_helper_that_guests_lack_has_its_name(bin_directory: Path, tmp_path: Path) -> None:
    body = """struct bpf_fib_lookup route = {.family = 2};
    return bpf_fib_lookup(ctx, &route, sizeof(route), 0) ? XDP_PASS : XDP_DROP;"""
    report = await judged(bin_directory, tmp_path, body)
    assert report.verdict == "unsupported"
    assert report.findings[0].message == "`bpf_fib_lookup` (helper 69) is not offered by guests"
    assert "LookupIPRoute" in (report.findings[0].hint or "")
    assert (await judged(bin_directory, tmp_path, body, platform="linux-xdp")).verdict == "safe"


LOOP = "static long step(__u32 i, void *sum) { *(__u32 *)sum += i ^ 3; return 0; }"


async def test_the_loop_that_costs_most_is_named(bin_directory: Path, tmp_path: Path) -> None:
    body = "__u32 sum = 0; bpf_loop(400000, step, &sum, 0);\n    return sum == 1 ? XDP_DROP : XDP_PASS;"
    report = await judged(bin_directory, tmp_path, body, before=LOOP)
    [finding] = report.findings
    assert (report.verdict, finding.rule) == ("unsafe", "instruction-budget")
    assert "a guest stops it at 1000000" in finding.message
    assert "400000 rounds" in finding.known[0]
    assert "bpf_loop" in (finding.source or "")
    assert (await judged(bin_directory, tmp_path, body, before=LOOP, budget=3_000_000)).verdict == "safe"
    assert (await judged(bin_directory, tmp_path, body, before=LOOP, platform="linux-xdp")).verdict == "safe"


WRITES = "BEGIN;\n    if (data + 14 > end)\n        return XDP_DROP;\n    data[0] = 1;\n    return XDP_TX;"


@pytest.mark.parametrize(
    ("kind", "verdict", "found"),
    [(None, "safe", "rewriter"), ("filter", "unsafe", "filter"), ("rewriter", "safe", "rewriter")],
)
async def test_the_least_kind_that_a_program_fits_is_found_and_told(
    bin_directory: Path, tmp_path: Path, kind: Kind | None, verdict: str, found: str
) -> None:
    report = await judged(bin_directory, tmp_path, WRITES, kind=kind)
    assert (report.verdict, report.kind) == (verdict, found)


async def test_what_reads_only_stays_a_filter(bin_directory: Path, tmp_path: Path) -> None:
    report = await judged(bin_directory, tmp_path, "return ctx->rx_queue_index ? XDP_DROP : XDP_PASS;")
    assert (report.verdict, report.kind) == ("safe", "filter")


async def test_an_object_that_was_not_optimised_is_told_apart(bin_directory: Path, tmp_path: Path) -> None:
    body = "BEGIN; int value = 1; value = value + *(int *)(data + 4); return value ? XDP_DROP : XDP_PASS;"
    attribute = "__attribute__((optnone, noinline))\n"
    report = await judged(bin_directory, tmp_path, body, before=attribute)
    assert report.verdict == "unsafe"
    assert (report.findings[0].hint or "").startswith("the object looks compiled without optimisation")
