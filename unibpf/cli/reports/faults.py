"""What was found against a guest, for a person."""

from pathlib import Path

from unibpf.cli.output import Exit, fail, progress
from unibpf.client.guest_check import GuestCheck
from unibpf.text import visible


def expect_sound(file: Path, found: GuestCheck) -> None:
    """Print every warning; end here, with every fault, where there is one."""
    for warning in found.warnings:
        progress(f"warning: {visible(warning)}")
    if found.faults:
        faults = "".join(f"\n  {fault}" for fault in found.faults)
        hint = "nothing was asked for: what runs goes on"
        fail(Exit.USAGE, f"`{file}` cannot run:{faults}", hint, rule="guest-check", result=found)
