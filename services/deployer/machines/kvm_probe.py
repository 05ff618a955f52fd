"""Does KVM really run a guest here? Found out by running one, once, and remembered.

`/dev/kvm` proves little: nested hypervisors can start an image and then interpret every instruction, die on the first SSE
instruction, or hang. So the guest image boots without a boot image under both accelerators, which it refuses in its first
line on the console. KVM is used when that line comes, and not later than twice TCG's time.

The answer holds for one kernel, one QEMU and one guest image; anything else is probed again.
"""

import asyncio
import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from unibpf.host.private_file import write_private

Accelerator = Literal["kvm", "tcg"]

QEMU: Final = "qemu-system-x86_64"
TIMEOUT_SECONDS: Final = 3.0
_DEVICE: Final = Path("/dev/kvm")


class Probe(Struct, frozen=True, kw_only=True):
    """The remembered answer; the two times are milliseconds from exec to the first console line, None: none came."""

    about: str
    accel: Accelerator
    reason: str
    kvm_ms: float | None = None
    tcg_ms: float | None = None


def decide(about: str, kvm_ms: float | None, tcg_ms: float | None) -> Probe:
    """Pure: which accelerator the two times speak for."""
    if kvm_ms is None:
        accel: Accelerator = "tcg"
        reason = "KVM died or hung before the guest's first line"
    elif tcg_ms is not None and kvm_ms > 2 * tcg_ms:
        accel, reason = "tcg", f"KVM took {kvm_ms:.0f} ms to the first line and TCG {tcg_ms:.0f} ms"
    else:
        accel, reason = "kvm", f"KVM boots the guest in {kvm_ms:.0f} ms"
    return Probe(about=about, accel=accel, reason=reason, kvm_ms=kvm_ms, tcg_ms=tcg_ms)


async def accelerator(image: Path, memory: Path) -> Probe:
    """The answer kept in the file `memory`, if it is about this machine; else probe (seconds) and keep it."""
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return Probe(about="", accel="tcg", reason=f"`{_DEVICE}` can't be used by this user")
    about = await _about(image)
    kept = _kept(memory)
    if kept is not None and kept.about == about:
        return kept
    tcg_ms = await first_line_ms(image, "tcg")
    probe = decide(about, await first_line_ms(image, "kvm"), tcg_ms)
    write_private(memory, msgspec.json.encode(probe))
    return probe


async def first_line_ms(image: Path, accel: str) -> float | None:
    """Boot the image and time its first whole line on the serial port."""
    start = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command(image, accel),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if process.stdout is None:
        raise AssertionError("stdout is a pipe")
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            line = await process.stdout.readline()
            return (time.monotonic() - start) * 1000 if line.endswith(b"\n") else None
    except TimeoutError:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # A QEMU that hangs inside KVM may not die at once; waiting for it is the kernel's business, not ours.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1.0)


def command(image: Path, accel: str) -> list[str]:
    """QEMU with nothing but a serial port."""
    machine = ["-M", "microvm,acpi=off", "-accel", accel, "-cpu", "host" if accel == "kvm" else "max", "-m", "8"]
    bare = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
    return [QEMU, *machine, *bare, "-kernel", str(image)]


def _kept(memory: Path) -> Probe | None:
    try:
        return msgspec.json.decode(memory.read_bytes(), type=Probe)
    except (OSError, msgspec.DecodeError):
        return None


async def _about(image: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        QEMU, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    version, _ = await process.communicate()
    first = version.decode(errors="replace").splitlines()[:1]
    digest = hashlib.sha256(await asyncio.to_thread(image.read_bytes)).hexdigest()
    return "; ".join([os.uname().release, *first, digest])
