"""Every NATS subject of UniBPF, one function each (design 4); tests hold them equal to schemas/asyncapi.json."""

from typing import Final, Literal

from unibpf.messages.elements import ElementState
from unibpf.messages.guests import GuestState

PREFIX: Final = "unibpf.v1"

RolloutCommand = Literal["start", "pause", "resume", "abort"]


def upload(identity: str, program: str) -> str:
    """`unibpf.v1.program.upload.<identity>.<program>`: a raw ELF object, pushed by `identity`."""
    return f"{PREFIX}.program.upload.{identity}.{program}"


def verified(program: str) -> str:
    """`unibpf.v1.program.verified.<program>`: a Verdict with verdict `safe`, from the verifier."""
    return f"{PREFIX}.program.verified.{program}"


def rejected(program: str) -> str:
    """`unibpf.v1.program.rejected.<program>`: any other Verdict, from the verifier."""
    return f"{PREFIX}.program.rejected.{program}"


def signed(program: str) -> str:
    """`unibpf.v1.program.signed.<program>`: a Signed, from the signer."""
    return f"{PREFIX}.program.signed.{program}"


def refused(program: str) -> str:
    """`unibpf.v1.program.refused.<program>`: a Refused, from the signer."""
    return f"{PREFIX}.program.refused.{program}"


def guest_apply(guest: str) -> str:
    """`unibpf.v1.guest.apply.<guest>`: a GuestSpec."""
    return f"{PREFIX}.guest.apply.{guest}"


def guest_delete(guest: str) -> str:
    """`unibpf.v1.guest.delete.<guest>`: empty."""
    return f"{PREFIX}.guest.delete.{guest}"


def guest_state(state: GuestState, guest: str) -> str:
    """`unibpf.v1.guest.<state>.<guest>`: a GuestEvent, from the deployer."""
    return f"{PREFIX}.guest.{state}.{guest}"


def rollout(command: RolloutCommand, program: str) -> str:
    """`unibpf.v1.rollout.<command>.<program>`."""
    return f"{PREFIX}.rollout.{command}.{program}"


def element(state: ElementState, guest: str, element_name: str) -> str:
    """`unibpf.v1.element.<state>.<guest>.<element>`: an ElementEvent, from the reconfigurer."""
    return f"{PREFIX}.element.{state}.{guest}.{element_name}"


def trace(trace_id: str) -> str:
    """`unibpf.v1.trace.<trace id>`: finished spans, kept so that `unibpf trace` can print the tree."""
    return f"{PREFIX}.trace.{trace_id}"


def audit(program: str) -> str:
    """`unibpf.v1.audit.<program>`: the signer's AuditRecord, written before it signs."""
    return f"{PREFIX}.audit.{program}"


def dead_letter(service: str) -> str:
    """`unibpf.v1.dead.<service>`: a DeadLetter."""
    return f"{PREFIX}.dead.{service}"


def verify() -> str:
    """`unibpf.v1.verifier.verify`: request/reply (ADR-32), an object answered by its Report; nothing is signed."""
    return f"{PREFIX}.verifier.verify"


def sign_graph() -> str:
    """`unibpf.v1.signer.sign_graph`: request/reply (ADR-32), a SignGraph answered by a SignedGraph."""
    return f"{PREFIX}.signer.sign_graph"


def deployer_status(host: str) -> str:
    """`unibpf.v1.deployer.<host>.status`: request/reply, empty, answered by a HostStatus."""
    return f"{PREFIX}.deployer.{host}.status"


def guest_status(host: str) -> str:
    """`unibpf.v1.reconfigurer.<host>.status`: request/reply, a GuestQuery answered by a GuestStatus."""
    return f"{PREFIX}.reconfigurer.{host}.status"


def map_dump(host: str) -> str:
    """`unibpf.v1.reconfigurer.<host>.dump`: request/reply, a MapQuery answered by a MapDump."""
    return f"{PREFIX}.reconfigurer.{host}.dump"


def map_change(host: str) -> str:
    """`unibpf.v1.reconfigurer.<host>.change`: request/reply, a MapChange answered by a MapChanged."""
    return f"{PREFIX}.reconfigurer.{host}.change"


def rollback(host: str) -> str:
    """`unibpf.v1.reconfigurer.<host>.rollback`: request/reply, a RollbackQuery answered by an ElementEvent."""
    return f"{PREFIX}.reconfigurer.{host}.rollback"
