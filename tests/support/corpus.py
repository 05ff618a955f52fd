"""XDP programs that exist, and our verdict on each.

Sources: the objects of Debian's `libxdp1`; the XDP programs of the kernel's selftests, compiled from Debian's
`linux-source-6.1`; our own. Only the last is always there: `gather` names the sources that are missing.
Nothing of others is committed: the selftests are extracted and compiled under `build/corpus`, once.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from services.verifier import frontend
from services.verifier.errors import Rejection
from tests.support import kernel_loader
from tests.support.kernel_cases import KernelCase
from tests.support.kernel_cases import read as read_kernel_cases
from unibpf.compile import CompileError, compile_c, find_compiler

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "corpus"
LINUX: Final = Path("/usr/src/linux-source-6.1.tar.xz")
_SELFTESTS: Final = "linux-source-6.1/tools/testing/selftests/bpf"
_MACHINE: Final = "/usr/include/x86_64-linux-gnu"
_XDP_SECTION: Final = re.compile(r'SEC\("xdp')
_OWN: Final = (
    "vnfs/*/*.c",
    "tests/data/programs/*.c",
    "tests/data/programs/refused/*.c",
    "tests/data/programs/xdp/*.c",
    "tests/conformance/xdp/*.c",
    "benchmarks/programs/*.c",
)

Platform = Literal["guest", "linux-xdp"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One program of one object; `platform` is the analyser's for it."""

    source: str
    file: str
    data: bytes
    section: str | None
    function: str
    platform: Platform

    @property
    def name(self) -> str:
        return f"{self.file}:{self.function}"


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
    found = [_own(), _libxdp(), _selftests()]
    return Corpus(
        samples=[sample for one in found for sample in one.samples],
        missing=[why for one in found for why in one.missing],
    )


def kernel_cases() -> list[KernelCase]:
    """The selftests' instruction-level cases; none where the kernel's source is missing."""
    return read_kernel_cases(_extracted(), CACHE) if LINUX.exists() else []


def own() -> list[Sample]:
    """Our own programs: those that need no other package."""
    return _own().samples


def judge(sample: Sample, analyser: Path) -> OurVerdict:
    """What our front end and analyser say."""
    try:
        choice = frontend.Options(section=sample.section, function=sample.function)
        bundle = frontend.translate(sample.data, choice).bundle
    except Rejection as error:
        return OurVerdict(verdict="untranslated", rule=error.rule, message=str(error))
    return judge_bundle(bundle, sample.platform, analyser)


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
        samples += _samples("own", file, data, "guest")
    return Corpus(samples=samples, missing=[])


def _v4(path: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return _clang(path, Path(folder) / "object", "-mcpu=v4")


def _libxdp() -> Corpus:
    objects = sorted(Path("/usr/lib").glob("*/bpf/*.o"))
    return Corpus(
        samples=[one for path in objects for one in _samples("libxdp1", path.name, path.read_bytes(), "linux-xdp")],
        missing=[] if objects else ["libxdp1: not installed"],
    )


def _selftests() -> Corpus:
    if not LINUX.exists():
        return Corpus(samples=[], missing=["selftests: linux-source-6.1 is not installed"])
    folder = _extracted() / "progs"
    samples: list[Sample] = []
    missing: list[str] = []
    for path in sorted(folder.glob("*.c")):
        if not _XDP_SECTION.search(path.read_text(errors="replace")):
            continue
        try:
            samples += _samples("selftests", path.name, _compiled(path), "linux-xdp")
        except CompileError as error:
            missing.append(f"selftests/{path.name}: does not compile: {_first_error(str(error))}")
    return Corpus(samples=samples, missing=missing)


def _extracted() -> Path:
    """The selftests and the headers that they include."""
    if not (CACHE / _SELFTESTS / "test_verifier.c").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        wanted = [f"{_SELFTESTS}/{name}" for name in ("progs", "verifier", "test_verifier.c")]
        wanted += ["linux-source-6.1/tools/include/uapi/linux"]
        headers = [f"{_SELFTESTS}/*.h", "linux-source-6.1/tools/include/linux/*.h"]
        command = ["tar", "-xJf", LINUX, "-C", CACHE, "--wildcards", *wanted, *headers]
        subprocess.run(command, check=True)
    return CACHE / _SELFTESTS


def _compiled(path: Path) -> bytes:
    target = CACHE / f"{path.stem}.o"
    if target.exists():
        return target.read_bytes()
    folder = path.parent.parent
    uapi = folder.parents[2] / "include/uapi"
    return _clang(path, target, "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Wno-everything", f"-I{folder}", f"-I{uapi}")


def _clang(path: Path, target: Path, *flags: str) -> bytes:
    command = [find_compiler(), "-O2", "-g", "-target", "bpf", *flags, f"-I{_MACHINE}", "-c", path, "-o", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileError(done.stderr)
    return target.read_bytes()


def _samples(source: str, file: str, data: bytes, platform: Platform) -> Iterator[Sample]:
    """Every program that libbpf sees; where it cannot open the object, every program that we see."""
    seen = kernel_loader.programs(data)
    ours = [(one.section, one.function or "?") for one in frontend.choices(data)] if seen is None else []
    for section, function in seen or ours:
        yield Sample(source=source, file=file, data=data, section=section, function=function, platform=platform)


def _first_error(text: str) -> str:
    errors = [line for line in text.splitlines() if "error:" in line]
    return errors[0].rpartition("error: ")[2] if errors else text[:80]
