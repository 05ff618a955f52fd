"""The words of the command lines that choose a program of an object, for `verify` and `bundle` alike."""

import argparse
from typing import get_args

from services.verifier.frontend.frontend import Options
from unibpf.messages.base import Kind
from unibpf.push import loading


def add_words(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--section", help="section of the program, when the object holds several")
    parser.add_argument("--function", help="function of the program, likewise")
    parser.add_argument(
        "--kind",
        choices=get_args(Kind),
        help="what a program is whose section does not say it (default: filter, or rewriter if need be)",
    )
    loading.add_options(parser)
    parser.add_argument("--memory", type=int, help="MiB of the guests that it is for")
    parser.add_argument("--platform", choices=["guest", "linux-xdp"], default="guest")


def options_of(chosen: argparse.Namespace, *, name: str | None = None) -> Options:
    """Return what was chosen, as `loading.parse_arguments` read it."""
    return Options(
        name=name,
        section=chosen.section,
        function=chosen.function,
        kind=chosen.kind,
        loading=chosen.loading,
        platform=chosen.platform,
        memory_mib=chosen.memory,
    )
