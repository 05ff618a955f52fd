"""The firewall as the system tests use it: versions made on the spot, pushes, guests, traffic."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.services.cli import Answer, Cli
from unibpf.host.settings import REPOSITORY, binary_directory

FOLDER = REPOSITORY / "vnfs" / "firewall"
OPEN_PORT = 443


def push_words(closed_port: int, *, new_port: int | None = None, wait: bool = True, **options: str) -> list[str]:
    """The words of a push of version 1, or of version 2 when `new_port` is given."""
    source = "program.c" if new_port is None else "program_v2.c"
    words = ["push", str(FOLDER / source), "-D", f"CLOSED_PORT={closed_port}", "--json"]
    words += ["-D", f"NEW_CLOSED_PORT={new_port}"] if new_port is not None else []
    words += ["--wait"] if wait else []
    return words + [word for name, value in options.items() for word in (f"--{name}", value)]


def push(cli: Cli, closed_port: int, *, new_port: int | None = None, ok: bool = True, **options: str) -> Answer:
    """Push and wait for the end."""
    return cli.run(*push_words(closed_port, new_port=new_port, **options), ok=ok)


def apply(cli: Cli, name: str) -> dict[str, Any]:
    """Boot a guest; its observation."""
    observed: dict[str, Any] = cli.run(
        "guest", "apply", str(FOLDER / "guest.toml"), "--name", name, "--wait", "--json"
    ).json
    assert observed["state"] == "running"
    return observed


def guest_text(name: str, programs: Mapping[str, str]) -> tuple[str, str]:
    """Graph and guest.toml of a guest whose elements filter one after the other what goes from inside to outside."""
    filters = "".join(f"{element} :: BPFFilter(PROGRAM {program}) -> " for element, program in programs.items())
    graph = f"""
control :: Control;
FromDevice(inside) -> {filters}Queue(512) -> ToDevice(outside);
FromDevice(outside) -> Queue(512) -> ToDevice(inside);
"""
    rows = ", ".join(f'{element} = "{program}"' for element, program in programs.items())
    return (
        graph,
        f"""
guest = "{name}"
audience = "edge"
graph = "graph.click"
nics = [{{ name = "inside", network = "left" }}, {{ name = "outside", network = "right" }}]
programs = {{ {rows} }}
""",
    )


@contextmanager
def filtering_guest(cli: Cli, folder: Path, name: str, programs: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The observation of a guest with these programs by element, which were pushed before; it is gone afterwards."""
    graph, text = guest_text(name, programs)
    (folder / "graph.click").write_text(graph)
    (folder / "guest.toml").write_text(text)
    observed: dict[str, Any] = cli.run("guest", "apply", str(folder / "guest.toml"), "--wait", "--json").json
    assert observed["state"] == "running"
    yield observed
    cli.run("guest", "delete", name, "--wait")


def show(cli: Cli, name: str) -> dict[str, Any]:
    """`guest show --json`."""
    found: dict[str, Any] = cli.run("guest", "show", name, "--json").json
    return found


def element(cli: Cli, name: str, element_name: str = "fw") -> dict[str, Any]:
    """One element as the guest itself describes it."""
    description = show(cli, name)
    assert description["guest"] is not None, description["problem"]
    found: dict[str, Any] = next(one for one in description["guest"]["elements"] if one["name"] == element_name)
    return found


def traffic(
    observed: dict[str, Any], ports: list[int], *, rate: int = 5000, seconds: float = 1.0
) -> "subprocess.Popen[str]":
    """A generator through the guest's two data NICs."""
    words = [str(binary_directory(os.environ) / "unibpf-pktgen"), "--rate", str(rate), "--seconds", str(seconds)]
    inside, outside = (observed["networks"][nic].removeprefix("unix:") for nic in ("inside", "outside"))
    words += ["--tx", inside, "--rx", outside]
    words += [word for port in ports for word in ("--port", str(port))]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def counts(process: "subprocess.Popen[str]") -> dict[int, dict[str, int]]:
    """{port: counts} of a generator that ended by itself."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return {one["port"]: one for one in json.loads(out)["classes"]}


def program_path(folder: Path, text: str) -> str:
    """A C file that includes the firewall's header."""
    path = folder / "program.c"
    path.write_text(text)
    return str(path)
