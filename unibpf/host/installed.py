"""What of UniBPF is on this machine: the native build, and what the optional parts of the package need.

A wheel holds Python alone. Whoever asks here first can say what is missing and how to get it, where a child process would end
with a traceback or an unknown file.
"""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from unibpf.host.settings import REPOSITORY, binary_directory

# What a part needs: executables of the native build, and modules with the extra of the package that brings them.
ANALYSER: Final = "unibpf-analyse"
RUNNER: Final = "unibpf-run"
CALLED: Final = {ANALYSER: "analyser", RUNNER: "runner", "unibpf-check": "checker"}
EXTRAS: Final = {
    "pkcs11": "signer",
    "libvirt": "deployer",
    "aiocoap": "reconfigurer",
}


class NotInstalled(Exception):  # noqa: N818  what was found
    """Something is not on this machine; `hint` says how to get it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def require_native(environ: Mapping[str, str], *names: str) -> Path:
    """The folder of the executables; raises NotInstalled where one of `names` cannot be run."""
    folder = binary_directory(environ)
    for name in names:
        if not os.access(folder / name, os.X_OK):
            raise NotInstalled(
                f"there is no {CALLED.get(name, name)} at `{folder / name}`: the native part is not built",
                _build_hint(environ),
            )
    return folder


def require_modules(*names: str) -> None:
    """Raises NotInstalled for the first module that is not there."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            extra = EXTRAS[name]
            raise NotInstalled(
                f"the Python module `{name}` is not installed", f"`pip install 'unibpf[{extra}]'` brings it"
            )


def _build_hint(environ: Mapping[str, str]) -> str:
    if environ.get("UNIBPF_BIN"):
        return "`UNIBPF_BIN` names the folder of a native build: run `make build` in a clone of the repository"
    if (REPOSITORY / "CMakeLists.txt").exists():
        return f"run `make build` in `{REPOSITORY}`"
    return (
        "a wheel has no native code: run `make build` in a clone of the repository and set `UNIBPF_BIN=CLONE/build/bin`"
    )
