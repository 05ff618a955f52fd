"""Transcripts in documents: commands with what they print, run again and compared but for what differs from run to run.

A transcript is every line that is indented by four spaces and begins with `$ ` (a command), `> ` (its next line, as in a here
document) or stands below one (what it printed, stdout and stderr together). Commands share one shell, so variables and
functions last.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

INDENT = "    "


@dataclass
class Step:
    """One command and the lines that the document shows below it."""

    command: str
    printed: list[str] = field(default_factory=list)


def read(document: str) -> list[Step]:
    """The steps in order."""
    steps: list[Step] = []
    for line in document.splitlines():
        text = line.removeprefix(INDENT)
        if text == line:
            continue
        if text.startswith("$ "):
            steps.append(Step(text[2:]))
        elif text.startswith("> ") and steps:
            steps[-1].command += "\n" + text[2:]
        elif steps:
            steps[-1].printed.append(text)
    return steps


def run(steps: list[Step], *, folder: Path, environment: Mapping[str, str], prelude: str = "") -> list[list[str]]:
    """What each step prints, in one shell that starts with `prelude`; the shell goes on whatever a command's status is."""
    marks = [f"---- {number} ----" for number in range(len(steps))]
    script = (
        prelude + "\n" + "\n".join(f"echo '{mark}'\n{step.command}" for mark, step in zip(marks, steps, strict=True))
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    outputs: list[list[str]] = []
    for line in done.stdout.splitlines():
        if len(outputs) < len(marks) and line == marks[len(outputs)]:
            outputs.append([])
        elif outputs:
            outputs[-1].append(line)
    return outputs


def shape(text: str) -> set[str]:
    """Lines without what differs from run to run: numbers, digests, padding, the order of services and of equal steps."""
    text = re.sub(r"(/tmp|build)/[\w/.-]+", "PATH", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "TRACE", text)
    text = re.sub(r"probed once: .*", "probed once: RESULT", text)
    text = re.sub(r"\b(under |microvm/)(kvm|tcg)\b", r"\1ACCELERATOR", text)
    text = re.sub(r"\d+(\.\d+)?", "N", text)
    text = re.sub(r"[│├└─]", " ", text)
    return {re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines() if line.strip()}
