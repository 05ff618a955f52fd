"""The policy: who may have which program signed for which audience. Pure; refuses by default.

The file is TOML with any number of `[[program]]` and `[[graph]]` rules, in order; the first that matches allows. Every
list is of shell globs and must be given: a rule without `audiences` is an error, not a rule for all audiences. To push for any
element (`*`) a rule must have `*` itself among its `elements`; `?` or `[!f]*` name elements, not the right to all of them.
`require_signed` of a program rule demands uploads that the pusher's own key signed (docs/authority.md); `require_also` names
other verifiers that must have accepted the program too. A rule that matches but for these refuses, so that a more generous rule
after it does not undo it.
"""

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from services.signer.errors import PolicyError, PolicyRefusal

Globs = Annotated[list[str], Meta(min_length=1)]
ANY: Final = "*"  # the element of a release that may go to any

Seconds = Annotated[int, Meta(ge=1)]


class ProgramRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[program]]`: all five lists of globs must match; all verifiers of `require_also` must agree."""

    name: str
    identities: Globs
    programs: Globs
    audiences: Globs
    kinds: Globs
    elements: Globs
    valid_seconds: Seconds | None = None
    require_also: list[str] = []
    require_signed: bool = False


class GraphRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[graph]]`: all three lists must match."""

    name: str
    graphs: Globs
    audiences: Globs
    guests: Globs
    valid_seconds: Seconds | None = None


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    program: list[ProgramRule] = []
    graph: list[GraphRule] = []


class ProgramRequest(Struct, frozen=True, kw_only=True):
    """What somebody wants signed; `agreeing` are the other verifiers that accepted the program, as the verdict says.

    `others` has a sentence of each that did not: who refuses it, and who cannot say, which is no consent.
    """

    identity: str
    program: str
    audience: str
    kind: str
    element: str
    signed: bool = False
    agreeing: list[str] = []
    others: dict[str, str] = {}


class GraphRequest(Struct, frozen=True, kw_only=True):
    """The graph that somebody wants signed."""

    graph: str
    audience: str
    guest: str


class Allowed(Struct, frozen=True, kw_only=True):
    """The rule that allows, and until when (Unix seconds) what is signed under it holds."""

    rule: str
    not_after: int | None


def load(path: Path) -> Policy:
    """Read and check a policy file; raises PolicyError naming the field."""
    try:
        return parse(path.read_text())
    except OSError as error:
        raise PolicyError(f"the policy `{path}` cannot be read: {error.strerror}") from error
    except PolicyError as error:
        raise PolicyError(f"the policy `{path}` is malformed: {error}") from error


def parse(text: str) -> Policy:
    """A policy from TOML text."""
    try:
        return msgspec.convert(tomllib.loads(text), type=Policy)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise PolicyError(str(error)) from error


def decide(policy: Policy, request: ProgramRequest, *, now: int) -> Allowed:
    """The first rule that allows `request`; raises PolicyRefusal saying which part no rule had."""
    mismatches: dict[str, list[str]] = {rule.name: _program_mismatches(rule, request) for rule in policy.program}
    for rule in policy.program:
        if not mismatches[rule.name]:
            _require_signature(rule, request)
            _require_opinions(rule, request)
            return Allowed(rule=rule.name, not_after=_expiry(rule.valid_seconds, now))
    raise _refusal(
        f"no rule lets `{request.identity}` have `{request.program}` ({request.kind}, element `{request.element}`) "
        f"signed for audience `{request.audience}`",
        mismatches,
    )


def decide_graph(policy: Policy, request: GraphRequest, *, now: int) -> Allowed:
    """As `decide`, for a graph."""
    mismatches = {rule.name: _graph_mismatches(rule, request) for rule in policy.graph}
    for rule in policy.graph:
        if not mismatches[rule.name]:
            return Allowed(rule=rule.name, not_after=_expiry(rule.valid_seconds, now))
    raise _refusal(
        f"no rule allows graph `{request.graph}` of guest `{request.guest}` for audience `{request.audience}`",
        mismatches,
    )


def _program_mismatches(rule: ProgramRule, request: ProgramRequest) -> list[str]:
    rows = (
        ("identities", request.identity, rule.identities),
        ("programs", request.program, rule.programs),
        ("audiences", request.audience, rule.audiences),
        ("kinds", request.kind, rule.kinds),
        ("elements", request.element, rule.elements),
    )
    return [field for field, value, globs in rows if not _matches(value, globs)]


def _require_signature(rule: ProgramRule, request: ProgramRequest) -> None:
    if rule.require_signed and not request.signed:
        raise PolicyRefusal(
            "unsigned",
            f"rule `{rule.name}` demands that the upload of `{request.program}` is signed by the key of `{request.identity}`",
            "`unibpf push` signs, `unibpf sign` does for other clients; the verifier's host needs the pusher's `.pub` file",
        )


def _require_opinions(rule: ProgramRule, request: ProgramRequest) -> None:
    lacking = [name for name in rule.require_also if name not in request.agreeing]
    if not lacking:
        return
    names = ", ".join(f"`{name}`" for name in lacking)
    said = "; ".join(request.others.get(name, f"`{name}` was not asked") for name in lacking)
    raise PolicyRefusal(
        "second-opinion",
        f"rule `{rule.name}` demands that {names} accepts `{request.program}` too, and the verdict does not say so: {said}",
        f"the report's `also` has what it said; a verifier asks it with `UNIBPF_VERIFIER_ALSO={','.join(lacking)}`",
    )


def _graph_mismatches(rule: GraphRule, request: GraphRequest) -> list[str]:
    rows = (
        ("graphs", request.graph, rule.graphs),
        ("audiences", request.audience, rule.audiences),
        ("guests", request.guest, rule.guests),
    )
    return [field for field, value, globs in rows if not _matches(value, globs)]


def _refusal(reason: str, mismatches: dict[str, list[str]]) -> PolicyRefusal:
    """The hint names the rule that came closest."""
    if not mismatches:
        return PolicyRefusal("policy", reason, "the policy has no rule of this kind")
    nearest = min(mismatches, key=lambda name: len(mismatches[name]))
    fields = ", ".join(f"`{field}`" for field in mismatches[nearest])
    return PolicyRefusal("policy", reason, f"rule `{nearest}` would allow it but for its {fields}")


def _matches(value: str, globs: list[str]) -> bool:
    """A release for any element is a right of its own: `*` itself gives it, no other pattern that happens to match does."""
    if value == ANY:
        return ANY in globs
    return any(fnmatchcase(value, glob) for glob in globs)


def _expiry(valid_seconds: int | None, now: int) -> int | None:
    return None if valid_seconds is None else now + valid_seconds
