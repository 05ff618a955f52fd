"""`unibpf run FILE`: one program on packets, on this machine, with the guest's own engines; no bus, no guest, no signature.

The front end (its own process, as for `verify`) makes the bundle, `unibpf-run` loads and runs it with the guest's decoder,
maps and helpers. The interpreter checks every access, so it takes any program. Native code checks nothing: it runs only
what the verifier found safe.
"""

import json as json_text
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unibpf.cli.inputs import captures, entries
from unibpf.cli.inputs.program_file import load_object
from unibpf.cli.output import Exit, Failed, FailedAndSaid, fail, fail_as
from unibpf.formats import pcap
from unibpf.formats.bundle import decode
from unibpf.formats.map_words import WordError
from unibpf.host import installed
from unibpf.messages.base import Kind
from unibpf.push.loading import NOTHING, Loading
from unibpf.text import decoded

_FRONT_END_SECONDS: Final = 60
_USAGE_STATUS: Final = 2  # of unibpf-run


@dataclass(frozen=True, kw_only=True)
class Run:
    """What to run, on what, and what to print."""

    file: Path
    section: str | None = None
    function: str | None = None
    kind: Kind | None = None
    loading: Loading = NOTHING
    engine: str = "interpreter"
    packets: Sequence[str] = ()  # hex
    capture: Path | None = None  # its packets follow
    capture_out: Path | None = None  # for those that leave
    defines: Sequence[str] = ()  # for the C compiler
    map_words: Sequence[str] = ()  # NAME:KEY=VALUE
    maps_from: Path | None = None  # JSON; before the words
    repeat: int = 1
    maps: bool = False
    json: bool = False


def run(wanted: Run) -> None:
    """Translate, run, print."""
    try:
        installed.require_native(os.environ, installed.RUNNER)
    except installed.NotInstalled as missing:
        fail(Exit.USAGE, str(missing), missing.hint, rule="not-installed")
    hexes = [
        packet.hex()
        for packet in (*map(_packet, wanted.packets), *(captures.read(wanted.capture) if wanted.capture else ()))
    ]
    with tempfile.TemporaryDirectory(prefix="unibpf-") as name:
        folder = Path(name)
        target = wanted.file.absolute()
        if target.suffix == ".c":
            target = folder / f"{wanted.file.stem}.o"
            target.write_bytes(load_object(wanted.file, wanted.defines))
        if wanted.engine == "jit":
            _require_safe(target, wanted)
        bundle = _front_end("bundle", target, wanted)
        (folder / "bundle").write_bytes(bundle)
        (folder / "entries").write_text("".join(one + "\n" for one in _entries(bundle, wanted)))
        (folder / "packets").write_text("".join(one + "\n" for one in hexes))
        command = [str(_runner()), str(folder / "bundle"), "--engine", wanted.engine, "--repeat", str(wanted.repeat)]
        command += ["--entries", str(folder / "entries")]
        command += ["--packets", str(folder / "packets")] if hexes else []
        command += [f"--{flag}" for flag in ("maps", "json") if getattr(wanted, flag)]
        left = folder / "left"
        command += ["--packets-out", str(left)] if wanted.capture_out is not None else []
        done = subprocess.run(command, capture_output=True, check=False)
        if wanted.capture_out is not None and left.exists():
            _write_capture(wanted.capture_out, left)
        _pass_on(done)


def _write_capture(target: Path, left: Path) -> None:
    try:
        target.write_bytes(pcap.encode([bytes.fromhex(line) for line in left.read_text().splitlines()]))
    except OSError as error:
        fail(Exit.USAGE, f"`{target}` cannot be written: {error.strerror}")


def _pass_on(done: "subprocess.CompletedProcess[bytes]") -> None:
    """Print what the runner printed; a bundle that it does not load prints nothing, a run that was stopped does."""
    sys.stdout.write(decoded(done.stdout))
    sys.stdout.flush()
    said = decoded(done.stderr)  # with what the program itself prints
    sys.stderr.write(said.partition("usage: ")[0] if done.returncode == _USAGE_STATUS else said)
    sys.stderr.flush()
    if done.returncode == 0:
        return
    if done.returncode < 0:
        fail(Exit.REFUSED, f"`{installed.RUNNER}` ended by signal {-done.returncode}")
    last = said.partition("usage: ")[0].strip().rpartition("\n")[2].removeprefix("error: ")
    code = Exit.USAGE if done.returncode == _USAGE_STATUS else Exit.REFUSED if done.stdout else Exit.UNSUPPORTED
    raise (FailedAndSaid if last else Failed)(code, last or f"`{installed.RUNNER}` ended with {done.returncode}")


def _entries(data: bytes, wanted: Run) -> list[str]:
    """What maps hold at first, as `unibpf-run` reads it."""
    try:
        found = list(entries.read_document(json_text.loads(wanted.maps_from.read_bytes()))) if wanted.maps_from else []
        found += [entries.read_word(word) for word in wanted.map_words]
        return list(entries.lines(found, decode(data).maps))
    except WordError as error:
        fail(Exit.USAGE, str(error), error.hint)
    except (OSError, ValueError) as error:
        fail(Exit.USAGE, f"`{wanted.maps_from}`: {error}")


def _packet(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        fail(Exit.USAGE, f"a packet must be an even number of hexadecimal digits, got `{text:.40}`")


def _require_safe(target: Path, wanted: Run) -> None:
    done = _verifier("verify", target, wanted)
    if done.returncode != 0:
        sys.stderr.write(decoded(done.stderr))
        fail(
            _its_code(done),
            "engine `jit` checks nothing and runs only what the verifier finds safe",
            f"`unibpf verify {wanted.file}` says why it is not; `--engine interpreter` runs it with every check",
        )


def _front_end(command: str, target: Path, wanted: Run) -> bytes:
    done = _verifier(command, target, wanted)
    if done.returncode != 0:
        fail_as(_its_code(done), decoded(done.stderr), f"the verifier ended with {done.returncode}")
    return done.stdout


def _its_code(done: "subprocess.CompletedProcess[bytes]") -> Exit:
    """Return the verifier's exit code; one that ended by a signal gave no answer."""
    return Exit(done.returncode) if done.returncode >= 0 else Exit.GAVE_UP


def _verifier(command: str, target: Path, wanted: Run) -> "subprocess.CompletedProcess[bytes]":
    words = [sys.executable, "-m", "services.verifier", command, str(target)]
    words += [f"--section={wanted.section}"] if wanted.section is not None else []
    words += [f"--function={wanted.function}"] if wanted.function is not None else []
    words += [f"--kind={wanted.kind}"] if wanted.kind is not None else []
    words += wanted.loading.arguments()
    try:
        return subprocess.run(words, capture_output=True, timeout=_FRONT_END_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        fail(Exit.GAVE_UP, f"the verifier did not answer within {_FRONT_END_SECONDS} s")


def _runner() -> Path:
    return installed.require_native(os.environ, installed.RUNNER) / installed.RUNNER
