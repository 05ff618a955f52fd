"""What `unibpf push` says, and the exit code that says the same."""

from unibpf.cli.output import Exit, progress
from unibpf.client.push import Outcome

_VERDICT_EXIT = {"unsafe": Exit.REFUSED, "unsupported": Exit.UNSUPPORTED, "gave_up": Exit.GAVE_UP}


def exit_code(outcome: Outcome) -> Exit:
    """The command's exit code."""
    if outcome.verdict is not None and outcome.verdict.verdict != "safe":
        return _VERDICT_EXIT[outcome.verdict.verdict]
    if outcome.refused is not None or any(event.state != "active" for event in outcome.elements):
        return Exit.REFUSED
    return Exit.OK


def say(outcome: Outcome) -> None:
    """The outcome for people, on stderr."""
    progress(f"published  {outcome.program}  push {outcome.push_id}  trace {outcome.trace_id}")
    if outcome.verdict is not None and outcome.verdict.verdict == "safe":
        progress(f"verified   {outcome.verified_ms:.0f} ms  {outcome.verdict.summary or 'safe'}")
    if outcome.refused is not None:
        progress(f"refused    by the signer: {outcome.refused.rule}: {outcome.refused.reason}")
    if outcome.signed is not None:
        progress(f"signed     {outcome.signed_ms:.0f} ms  sequence {outcome.signed.sequence}")
    for event in outcome.elements:
        if event.state == "active":
            progress(
                f"active     {outcome.active_ms:.0f} ms  {event.guest}/{event.element}, swapped in "
                f"{event.swap_ns / 1000:.1f} µs, {event.packets_lost} packets lost"
            )
        else:
            progress(f"failed     {event.guest}/{event.element}: {event.rule}: {event.reason}")
    if outcome.signed is not None and not outcome.elements:
        progress("no running guest has this program; it boots with the next one that does")
