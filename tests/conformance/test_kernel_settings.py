"""What a loader sets means here what it means to the kernel: the same verdict on the same object, and packets end alike.

The kernel gets the object twice: as our front end linked it, and unmodified through libbpf, with the same bytes put into its
data sections and the same sizes given to its maps by libbpf's own calls.
"""

import json
import random
import subprocess
from pathlib import Path

import pytest

from services.verifier.errors import Unsupported
from services.verifier.frontend import frontend
from services.verifier.frontend.frontend import Options
from tests.support.kernel import kernel_loader, kernel_oracle
from tests.support.kernel.kernel_loader import Setting
from tests.support.programs.bundles import ENGINES, Runner
from tests.support.programs.packets import random_packets
from tests.support.programs.programs import compiled
from unibpf.formats.bpf import MapType
from unibpf.formats.bundle import BundleMap, decode
from unibpf.push import loading

OBJECTS = Path("/usr/lib/x86_64-linux-gnu/bpf")

pytestmark = pytest.mark.skipif(not kernel_oracle.available(), reason="loading programs into the kernel needs CAP_BPF")


def linked(data: bytes, function: str, *constants: str) -> bytes:
    chosen = Options(function=function, kind="rewriter", loading=loading.read({"constants": constants}))
    return frontend.translate(data, chosen).bundle


def is_safe(bundle: bytes, bin_directory: Path) -> bool:
    done = subprocess.run([bin_directory / "unibpf-analyse"], input=bundle, capture_output=True, check=True)
    return bool(json.loads(done.stdout)["verdict"] == "safe")


def contents(bundle: bytes) -> Setting:
    return Setting(contents={entry.name: entry.data for entry in decode(bundle).maps if entry.data is not None})


@pytest.mark.parametrize(
    ("constants", "safe"),
    [
        ((), True),
        (("unchecked=true",), False),
        (("cfg.checked=0",), False),
        (("cfg.checked=0", "cfg.checked=1"), True),
        (("cfg.verdict=3",), True),
        (("at=15",), True),
        (("at=16",), False),
        (("at=0xffffffff",), False),
    ],
)
def test_constants_decide_alike_what_is_safe(constants: tuple[str, ...], safe: bool, bin_directory: Path) -> None:
    data = compiled("settings_decide")
    bundle = linked(data, "settings_decide", *constants)
    assert is_safe(bundle, bin_directory) == safe
    assert kernel_loader.load_bundle(bundle).loads == safe
    assert kernel_loader.load(data, "settings_decide", contents(bundle)).loads == safe


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("constants", [("at=15", "cfg.verdict=3"), ("cfg.verdict=1",)])
def test_packets_end_alike_under_constants(constants: tuple[str, ...], engine: str, runner: Runner) -> None:
    bundle = linked(compiled("settings_decide"), "settings_decide", *constants)
    packets = random_packets(random.Random(engine), 200)
    reports = runner.run(bundle, packets, engine=engine)
    with kernel_oracle.Oracle(bundle=decode(bundle)) as kernel:
        assert [report["verdict_code"] for report in reports] == [kernel.run(packet).code for packet in packets]


def test_sizes_and_inner_maps_that_a_loader_gives_make_an_object_loadable(bin_directory: Path) -> None:
    data = compiled("sized_by_loader")
    words = {"max_entries": ["flows=16", "events=8192"], "inner_maps": ["tables=first"]}
    inner = BundleMap(name="first", type=MapType.ARRAY, key_size=4, value_size=8, max_entries=2)
    setting = Setting(max_entries={"flows": 16, "events": 8192}, inner={"tables": inner})
    bundle = frontend.translate(data, Options(loading=loading.read(words))).bundle
    assert is_safe(bundle, bin_directory)
    assert kernel_loader.load_bundle(bundle).loads
    assert kernel_loader.load(data, "sized", setting).loads
    assert not kernel_loader.load(data, "sized").loads


@pytest.mark.parametrize("engine", ENGINES)
def test_the_libxdp_dispatcher_runs_as_its_loader_sets_it(engine: str, bin_directory: Path, runner: Runner) -> None:
    """What libxdp does: so many programs are called, and a program's action ends the chain unless its bit says otherwise."""
    data = (OBJECTS / "xdp-dispatcher.o").read_bytes()
    found = []
    for constants in (
        ("conf.num_progs_enabled=0",),
        ("conf.num_progs_enabled=1",),
        ("conf.num_progs_enabled=3", "conf.chain_call_actions[0]=0x80000000", "conf.chain_call_actions[1]=0x80000000"),
        ("conf.num_progs_enabled=10", *(f"conf.chain_call_actions[{n}]=0x80000000" for n in range(10))),
    ):
        bundle = linked(data, "xdp_dispatcher", *constants)
        assert is_safe(bundle, bin_directory)
        assert kernel_loader.load(data, "xdp_dispatcher", contents(bundle)).loads
        report = runner.run(bundle, engine=engine)[0]
        with kernel_oracle.Oracle(bundle=decode(bundle)) as kernel:
            assert report["verdict_code"] == kernel.run(bytes(64)).code
        found.append((report["verdict_code"], report["instructions"]))
    assert [code for code, _ in found] == [2, 31, 31, 2], "XDP_PASS without programs, else what a free place returns"
    if engine in ("checking", "trusting"):  # native code counts backward jumps and calls only
        assert [ran for _, ran in found] == sorted({ran for _, ran in found}), "each has more programs to call"


def test_xdpdump_captures_what_its_loader_sets(bin_directory: Path, runner: Runner) -> None:
    """Unmodified: a packet of that device only, as many bytes as set, by a variable of .data."""
    data = (OBJECTS / "xdpdump_xdp.o").read_bytes()
    packet = bytes(range(64))
    records = {}
    for device, length in ((0, 20), (0, 64), (7, 64)):
        words = (f"trace_cfg.capture_if_ifindex={device}", f"trace_cfg.capture_snaplen={length}")
        bundle = linked(data, "xdpdump", *words)
        assert is_safe(bundle, bin_directory)
        assert kernel_loader.load(data, "xdpdump", contents(bundle)).loads
        entries = runner.run(bundle, [packet])[0]["maps"]["xdpdump_perf_map"]["entries"]
        records[device, length] = [entry["value"] for entry in entries]
    assert [len(rows) for rows in records.values()] == [1, 1, 0]
    assert packet[:20].hex() in records[0, 20][0]
    assert packet[:21].hex() not in records[0, 20][0]
    assert packet.hex() in records[0, 64][0]


def test_both_leave_out_what_constants_rule_out(bin_directory: Path) -> None:
    """The kernel loads the object with a kernel's function, type, map and helper behind constants; so does a guest."""
    data = compiled("ruled_out")
    bundle = linked(data, "ruled_out")
    assert kernel_loader.load(data, "ruled_out").loads
    assert is_safe(bundle, bin_directory)
    assert kernel_loader.load_bundle(bundle).loads
    assert is_safe(linked(data, "ruled_out", "kernel_function=0", "route=false"), bin_directory)
    assert not is_safe(linked(data, "ruled_out", "route=true"), bin_directory), "a guest has no routes"
    with pytest.raises(Unsupported, match="xskmap"):  # nor sockets
        linked(data, "ruled_out", "mode=SOCKETS")
