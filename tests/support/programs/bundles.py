"""Bundles for tests, made from assembly, and their runs by `unibpf-run`."""

import json
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from unibpf.formats.bundle import Bundle, BundleMap, encode
from unibpf.messages.base import Kind

# What runs a program: the interpreter under one of its policies, or native code.
ENGINES: Final[dict[str, tuple[str, ...]]] = {
    "checking": ("--policy", "checking"),
    "trusting": ("--policy", "trusting"),
    "jit": ("--engine", "jit"),
    "guarded": ("--engine", "jit", "--guarded"),
}


def helpers_called(code: bytes) -> tuple[int, ...]:
    """Return the helper numbers that code calls, ascending (opcode 0x85, src 0)."""
    slots = [struct.unpack_from("<BBhi", code, at) for at in range(0, len(code), 8)]
    return tuple(sorted({imm for opcode, registers, _, imm in slots if opcode == 0x85 and registers >> 4 == 0}))


def bundle_of(code: bytes, maps: Sequence[BundleMap] = (), *, kind: Kind = "rewriter", name: str = "test") -> bytes:
    """Return the bundle of a program with nothing but code and maps."""
    return encode(
        Bundle(name=name, kind=kind, code=code, maps=tuple(maps), helpers=helpers_called(code), outputs=1, stack=512)
    )


@dataclass(kw_only=True)
class Runner:
    """Runs bundles on packets: unibpf-run's JSON, one a packet (not what they print); the last one has the maps."""

    executable: Path
    directory: Path

    def run(
        self,
        bundle: bytes,
        packets: Iterable[bytes] = (bytes(64),),
        *,
        engine: str = "checking",
        budget: int = 1_000_000,
        presets: Iterable[tuple[str, bytes, bytes]] = (),
    ) -> list[dict[str, Any]]:
        (self.directory / "bundle").write_bytes(bundle)
        (self.directory / "packets").write_text("".join(packet.hex() + "\n" for packet in packets))
        arguments = ["bundle", "--packets", "packets", *ENGINES[engine], "--budget", str(budget), "--maps", "--json"]
        for name, key, value in presets:
            arguments += ["--set", f"{name}={key.hex()}:{value.hex()}"]
        command: list[str | Path] = [self.executable, *arguments]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise ValueError(done.stderr.strip())
        return [cast(dict[str, Any], json.loads(line)) for line in done.stdout.splitlines() if line[:1] == "{"]
