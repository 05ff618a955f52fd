"""XDP programs that exist, and our verdict on each.

Sources: the objects of Debian's `libxdp1` and `xdp-tests`; test objects of the Go library `cilium/ebpf`; the XDP programs
of the kernel's selftests and samples (foreign_sources.py); our own. Only the last is always there: `gather` names the
sources that are missing. Nothing of others is committed: their sources are extracted and compiled under `build/corpus`,
once. To have all:

    apt-get install libxdp1 xdp-tests golang-github-cilium-ebpf-dev bpftool linux-source-6.1
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from services.verifier.errors import Rejection
from services.verifier.frontend import elf, frontend, maps
from services.verifier.frontend.debug import btf
from tests.lab import foreign_sources
from tests.lab.foreign_sources import CACHE, LINUX, clang
from tests.support.kernel import kernel_loader
from tests.support.kernel.kernel_cases import KernelCase
from tests.support.kernel.kernel_cases import read as read_kernel_cases
from tests.support.kernel.kernel_loader import Setting
from unibpf.messages.base import Kind
from unibpf.push.compile import CompileError, compile_c
from unibpf.push.loading import Loading, MaxEntries

ROOT: Final = Path(__file__).parents[2]
_GO: Final = Path("/usr/share/gocode/src/github.com/cilium/ebpf")
_OWN: Final = (
    "vnfs/*/*.c",
    "tests/data/programs/*.c",
    "tests/data/programs/refused/*.c",
    "tests/conformance/xdp/*.c",
    "benchmarks/programs/*.c",
)

OWN: Final = "own"
UNSIZED_ENTRIES: Final = 64

Platform = Literal["guest", "linux-xdp"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One program of one object; `platform` is the analyser's for it, `sizes` a loader's for maps that have none."""

    source: str
    file: str
    data: bytes
    section: str | None
    function: str
    platform: Platform
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.file}:{self.function}"

    @property
    def loading(self) -> Loading:
        """The sizes, for us; `setting` for libbpf."""
        return Loading(max_entries=tuple(MaxEntries(name, entries) for name, entries in self.sizes.items()))

    @property
    def setting(self) -> Setting:
        return Setting(max_entries=self.sizes)


@dataclass(frozen=True, kw_only=True)
class OurVerdict:
    """`rule` and `message` are empty for a safe program; `verdict` is `untranslated` where the front end refused."""

    verdict: str
    rule: str = ""
    message: str = ""
    cpu_ms: float = 0.0
    peak_kib: int = 0

    @property
    def safe(self) -> bool:
        return self.verdict == "safe"


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """`missing` says of each source, or file, why it is not in `samples`."""

    samples: list[Sample]
    missing: list[str]


def gather() -> Corpus:
    """Everything that this machine has."""
    found = [_own(), Corpus(samples=operators(), missing=[]), *_objects(), _selftests(), _samples_of_the_kernel()]
    return Corpus(
        samples=[sample for one in found for sample in one.samples],
        missing=[why for one in found for why in one.missing],
    )


def kernel_cases() -> list[KernelCase]:
    """The selftests' instruction-level cases; none where the kernel's source is missing."""
    return read_kernel_cases(foreign_sources.selftests(), CACHE) if LINUX.exists() else []


def own() -> list[Sample]:
    """Our own programs: those that need no other package."""
    return _own().samples


def operators() -> list[Sample]:
    """Programs of the kind that operators write, as for Linux."""
    return [one for path in operators_files() for one in operators_programs(path, compile_c(path))]


def operators_files() -> list[Path]:
    """Their sources."""
    return sorted(ROOT.glob("tests/data/operators/*.c"))


def unsafe_neighbours() -> list[Path]:
    """Sources of programs that differ from those of operators by one mistake."""
    return sorted(ROOT.glob("tests/data/operators/unsafe/*.c"))


def operators_programs(path: Path, data: bytes) -> list[Sample]:
    """The programs of one source, from an object that it was compiled to."""
    return list(_samples("operators", str(path.relative_to(ROOT)), data, "linux-xdp"))


def judge(sample: Sample, analyser: Path, platform: Platform | None = None) -> OurVerdict:
    """What our front end and analyser say, on the sample's platform or another; a program of others may be any kind."""
    where = platform or sample.platform
    kind: Kind | None = None if sample.source == OWN else "rewriter"
    choice = frontend.Options(
        section=sample.section, function=sample.function, kind=kind, platform=where, loading=sample.loading
    )
    try:
        bundle = frontend.translate(sample.data, choice).bundle
    except Rejection as error:
        return OurVerdict(verdict="untranslated", rule=error.rule, message=str(error))
    return judge_bundle(bundle, where, analyser)


def judge_bundle(bundle: bytes, platform: Platform, analyser: Path) -> OurVerdict:
    """What our analyser says."""
    command = [analyser, "--platform", platform]
    report = json.loads(subprocess.run(command, input=bundle, capture_output=True, check=True).stdout)
    finding = report["findings"][0] if report["findings"] else {"rule": "", "message": ""}
    return OurVerdict(
        verdict=report["verdict"],
        rule=finding["rule"],
        message=finding["message"],
        cpu_ms=report["cpu_ms"],
        peak_kib=report["peak_kib"],
    )


def _own() -> Corpus:
    samples: list[Sample] = []
    for path in (path for pattern in _OWN for path in sorted(ROOT.glob(pattern))):
        file = str(path.relative_to(ROOT))
        # the conformance programs show instructions of v4
        data = _v4(path) if file.startswith("tests/conformance") else compile_c(path)
        samples += _samples(OWN, file, data, "guest")
    return Corpus(samples=samples, missing=[])


def _v4(path: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return clang(path, Path(folder) / "object", "-mcpu=v4")


def _objects() -> Iterator[Corpus]:
    """Packages that have objects."""
    yield _package("libxdp1", Path("/usr/lib").glob("*/bpf/*.o"))
    yield _package("xdp-tests", Path("/usr/libexec/xdp-tools").glob("*.o"))
    yield _package("golang-github-cilium-ebpf-dev", (_GO / "testdata").glob("*-el.elf"))


def _package(name: str, objects: Iterable[Path]) -> Corpus:
    paths = sorted(objects)
    found = [one for path in paths for one in _samples(name, path.name, path.read_bytes(), "linux-xdp")]
    return Corpus(samples=found, missing=[] if paths else [f"{name}: not installed"])


def _selftests() -> Corpus:
    return _of_the_kernel(
        "selftests", lambda: foreign_sources.xdp_files(foreign_sources.selftests() / "progs"), foreign_sources.selftest
    )


def _samples_of_the_kernel() -> Corpus:
    return _of_the_kernel("samples", foreign_sources.samples, foreign_sources.sample)


def _of_the_kernel(source: str, files: Callable[[], list[Path]], compiled: Callable[[Path], bytes]) -> Corpus:
    if not LINUX.exists():
        return Corpus(samples=[], missing=[f"{source}: linux-source-6.1 is not installed"])
    samples: list[Sample] = []
    missing: list[str] = []
    for path in files():
        try:
            samples += _samples(source, path.name, compiled(path), "linux-xdp")
        except CompileError as error:
            missing.append(f"{source}/{path.name}: does not compile: {_first_error(str(error))}")
    return Corpus(samples=samples, missing=missing)


def _samples(source: str, file: str, data: bytes, platform: Platform) -> Iterator[Sample]:
    """Every XDP program that libbpf sees; where it cannot open the object, every program that we see."""
    seen = kernel_loader.programs(data)
    ours = frontend.choices(data, frontend.Options(platform=platform)) if seen is None else []
    named = [(one.section, one.function or "?") for one in ours if one.function or source == OWN]
    sizes = {} if source == OWN else _sizes(data)
    for section, function in seen or named:
        yield Sample(
            source=source, file=file, data=data, section=section, function=function, platform=platform, sizes=sizes
        )


def _sizes(data: bytes) -> dict[str, int]:
    """Maps without entries are those that a loader sizes, mostly by the number of CPUs."""
    try:
        obj = elf.read(data)
        types = obj.section(".BTF")
        found = maps.read(obj, btf.read(types.data) if types else None)
    except Rejection:
        return {}
    return {entry.name: UNSIZED_ENTRIES for entry in found.defined.values() if not entry.max_entries}


def _first_error(text: str) -> str:
    errors = [line for line in text.splitlines() if "error:" in line]
    return errors[0].rpartition("error: ")[2] if errors else text[:80]
