"""What `unibpf push` says, and how it ends."""

import re
from typing import Final

from unibpf.cli.output import Exit, Failed, FailedAndSaid, progress
from unibpf.client.waiting import Outcome
from unibpf.messages.elements import ElementEvent

_VERDICT_EXIT: Final = {"unsafe": Exit.REFUSED, "unsupported": Exit.UNSUPPORTED, "gave_up": Exit.GAVE_UP}
_RULE: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*): ")


def failure(outcome: Outcome) -> Failed | None:
    """How the command ends, if the push did not come to where it was meant to."""
    if outcome.verdict is not None and outcome.verdict.verdict != "safe":
        finding = outcome.report.findings[0] if outcome.report is not None and outcome.report.findings else None
        message = finding.message if finding else outcome.verdict.summary or outcome.verdict.verdict
        hint, rule = (finding.hint, finding.rule) if finding else (None, None)
        code = _VERDICT_EXIT[outcome.verdict.verdict]
        return (FailedAndSaid if finding else Failed)(code, message, hint, rule=rule, result=outcome)
    if outcome.refused is not None:
        refused = outcome.refused
        return Failed(
            Exit.REFUSED, f"the signer refused it: {refused.reason}", refused.hint, rule=refused.rule, result=outcome
        )
    if outcome.dead is not None:
        found = _RULE.match(outcome.dead.reason, 0)
        message = f"`{outcome.dead.service}` gave it up: {outcome.dead.reason}"
        hint = "push it again once the cause is gone: nobody tries this one again"
        return Failed(Exit.REFUSED, message, hint, rule=found[1] if found else "dead-letter", result=outcome)
    return _element_failure(outcome)


# State of an element: exit code, words, hint; the gravest first.
_ENDS: Final = {
    "failed": (Exit.REFUSED, "failed on", "the guest goes on with what it ran before"),
    "rolled_back": (Exit.REFUSED, "rolled back on", "it is not offered there again: push a mended one"),
    "superseded": (Exit.SUPERSEDED, "superseded on", "nothing is left to do: the newer release is what counts"),
}


_MAP: Final = re.compile(r"map `([A-Za-z0-9_.]{1,63})`: ")


def _resets(reason: str) -> str:
    """What to do about maps that cannot be kept; unibpf.formats.map_differences writes their names."""
    options = " ".join(f"--map {name}=reset" for name in _MAP.findall(reason) or ["NAME"])
    return (
        f"keep the layout, or push with `{options}`, which empties the map; the guest goes on with what it ran before"
    )


def _element_failure(outcome: Outcome) -> Failed | None:
    for state, (code, words, hint) in _ENDS.items():
        for event in outcome.elements:
            if event.state == state:
                message = f"{words} {event.guest}/{event.element}: {event.rule or state}: {event.reason or state}"
                advice = _resets(event.reason or "") if event.rule == "map-policy" else hint
                return Failed(code, message, advice, rule=event.rule or state.replace("_", "-"), result=outcome)
    return None


def unfinished(outcome: Outcome, cause: Failed) -> Failed:
    """The end of a push that was not followed to its own: what it is called, and how far it came."""
    if not outcome.push_id:
        return cause
    waits = f", waits for {', '.join(outcome.waits_for)}" if outcome.waits_for else ""
    place = f"push {outcome.push_id}, trace {outcome.trace_id}, stage `{outcome.stage}`{waits}"
    hint = f"it goes on by itself: `unibpf trace {outcome.trace_id}` shows how far it is"
    return Failed(cause.exit, f"{cause.message}: {place}", hint, rule=cause.rule, result=outcome)


def say(outcome: Outcome) -> None:
    """The outcome for people, on stderr."""
    progress(f"published  {outcome.program}  push {outcome.push_id}  trace {outcome.trace_id}")
    if outcome.verdict is not None and outcome.verdict.verdict == "safe":
        progress(f"verified   {outcome.verified_ms:.0f} ms  {outcome.verdict.summary or 'safe'}")
    if outcome.signed is not None:
        progress(f"signed     {outcome.signed_ms:.0f} ms  sequence {outcome.signed.sequence}")
    for event in outcome.elements:
        progress(_element_line(outcome, event))
    if outcome.signed is not None and not outcome.elements:
        progress("no running guest has this program; it boots with the next one that does")


def _element_line(outcome: Outcome, event: ElementEvent) -> str:
    place = f"{event.guest}/{event.element}"
    if event.state == "settled":
        return f"settled    {outcome.settled_ms or 0:.0f} ms  {place}: its probation is over"
    if event.state != "active":
        return f"{event.state.replace('_', ' '):<10} {place}: {event.rule}: {event.reason}"
    note = f"; {event.reason}" if event.reason else ""
    return (
        f"active     {outcome.active_ms or 0:.0f} ms  {place}, swapped in "
        f"{event.swap_ns / 1000:.1f} µs, {event.packets_lost} packets lost{note}"
    )
