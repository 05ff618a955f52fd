"""What every process of UniBPF shares: messages, subjects, bus, bundle, envelope, tracing, and the command line."""

from typing import Final

VERSION: Final = (
    "0.1.0"  # of the package, its services and the guest: pyproject.toml's, held by tests/repo/test_version.py
)
