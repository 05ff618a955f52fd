"""The bus as one table (design 4): a row a subject. Whatever else speaks of subjects is made from it.

    builders       `verified("fw")` is `unibpf.v1.program.verified.fw`; `verified("*")` is what to hear all of them by
    streams        unibpf.bus.topology: what is stored where, and which consumer works on it
    permissions    unibpf.bus.permissions: what the server lets whom send, hear and serve
    AsyncAPI       schemas/generate.py

A subject that nobody serves has no row.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from unibpf.messages.base import Message
from unibpf.messages.desired_maps import DesiredChange, DesiredChanged, MapsPutBack, PutBackQuery
from unibpf.messages.elements import ElementEvent, ElementState, RollbackQuery
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.guests import GuestEvent, GuestSpec, GuestState, HostStatus
from unibpf.messages.handlers import HandlerCall, HandlerValue
from unibpf.messages.maps import MapChange, MapChanged, MapDump, MapQuery
from unibpf.messages.operations import DeadLetter, Readiness, SpanRecord
from unibpf.messages.programs import AuditRecord, Refused, Signed, Verdict
from unibpf.messages.reports import Report
from unibpf.messages.status import GuestQuery, GuestStatus

PREFIX: Final = "unibpf.v1"

# Who takes part. A pusher is any identity without a role of its own: a CI job, another system.
VERIFIER: Final = "verifier"
SIGNER: Final = "signer"
DEPLOYER: Final = "deployer"
RECONFIGURER: Final = "reconfigurer"
SERVICES: Final = (VERIFIER, SIGNER, DEPLOYER, RECONFIGURER)
CLI: Final = "cli"
PUSHER: Final = "pusher"
EVERYBODY: Final = "everybody"

UPLOADS: Final = "UNIBPF_UPLOADS"
COMMANDS: Final = "UNIBPF_COMMANDS"
EVENTS: Final = "UNIBPF_EVENTS"
TRACES: Final = "UNIBPF_TRACES"
AUDIT: Final = "UNIBPF_AUDIT"
DEAD: Final = "UNIBPF_DEAD"

# Whether a message carries authority: `must` be signed by its sender's nkey, `may` be (it is looked at), or is `not`.
Authority = Literal["must", "may", "not"]

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One row. Called with the names of its parameters, in their order, it is the subject itself.

    `states` are the values of `{state}`. With `apart`, each state is a subject of its own where permissions and streams are
    concerned, because others send on subjects beside it. `bytes_only` marks payloads that are no message of ours.
    """

    name: str  # of the channel in AsyncAPI
    pattern: str
    text: str
    senders: tuple[str, ...]
    message: type[Message] | None = None
    bytes_only: bool = False
    states: tuple[str, ...] = ()
    apart: bool = False
    stream: str | None = None
    consumer: str | None = None  # the durable that works on it; `{host}` in it: one a host
    hears: tuple[str, ...] = ()  # live, as it is published
    server: str | None = None  # request/reply (ADR-32): who answers
    answer: type[Message] | None = None
    authority: Authority = "must"
    of_host: bool = False  # its payload's `host` is the sender's own

    def __call__(self, *names: str) -> str:
        """Fill in the parameters; `*` stands for any."""
        wanted = self.parameters
        if len(names) != len(wanted):
            raise ValueError(f"subject `{self.pattern}`: got {len(names)} names, expected {len(wanted)}")
        values = dict(zip(wanted, names, strict=True))
        if self.states and values["state"] not in {*self.states, "*"}:
            raise ValueError(f"subject `{self.pattern}`: got state `{values['state']}`, expected one of {self.states}")
        return f"{PREFIX}.{self.pattern.format(**values)}"

    @property
    def parameters(self) -> list[str]:
        """The names of its parameters."""
        return _PARAMETER.findall(self.pattern)

    def values(self, subject: str) -> dict[str, str]:
        """What the parameters are in a subject of this row."""
        words = zip(self.pattern.split("."), subject.split(".")[PREFIX.count(".") + 1 :], strict=True)
        return {pattern.strip("{}"): word for pattern, word in words if pattern.startswith("{")}

    @property
    def family(self) -> str:
        """The first word, which subjects of one kind have in common."""
        return self.pattern.partition(".")[0]

    def patterns(self, **kept: str) -> Iterator[str]:
        """Yield what NATS matches it by: `*` for each parameter that is not `kept`; one a state where those are apart."""
        for state in self.states if self.apart else ("*",):
            known = {"state": state, **kept}
            yield self(*(known.get(name, "*") for name in self.parameters))


upload: Final = Subject(
    name="programUpload",
    pattern="program.upload.{identity}.{program}",
    text="a raw ELF object, pushed by `identity`",
    senders=(CLI, PUSHER),
    bytes_only=True,
    stream=UPLOADS,
    consumer="verifier",
    hears=(CLI,),
    authority="may",
)
verified: Final = Subject(
    name="programVerified",
    pattern="program.verified.{program}",
    text="a Verdict with verdict `safe`, from the verifier",
    senders=(VERIFIER,),
    message=Verdict,
    stream=EVENTS,
    consumer="signer",
    hears=(CLI, PUSHER),
)
rejected: Final = Subject(
    name="programRejected",
    pattern="program.rejected.{program}",
    text="any other Verdict, from the verifier",
    senders=(VERIFIER,),
    message=Verdict,
    stream=EVENTS,
    hears=(CLI, PUSHER),
)
signed: Final = Subject(
    name="programSigned",
    pattern="program.signed.{program}",
    text="a Signed, from the signer",
    senders=(SIGNER,),
    message=Signed,
    stream=EVENTS,
    consumer="reconfigurer-{host}",
    hears=(CLI, PUSHER),
)
refused: Final = Subject(
    name="programRefused",
    pattern="program.refused.{program}",
    text="a Refused, from the signer",
    senders=(SIGNER,),
    message=Refused,
    stream=EVENTS,
    hears=(CLI, PUSHER),
)
guest_apply: Final = Subject(
    name="guestApply",
    pattern="guest.apply.{guest}",
    text="a GuestSpec",
    senders=(CLI,),
    message=GuestSpec,
    stream=COMMANDS,
    consumer="deployer",
    hears=(CLI,),
)
guest_delete: Final = Subject(
    name="guestDelete",
    pattern="guest.delete.{guest}",
    text="empty",
    senders=(CLI,),
    stream=COMMANDS,
    consumer="deployer",
    hears=(CLI,),
)
guest_state: Final = Subject(
    name="guest",
    pattern="guest.{state}.{guest}",
    text="a GuestEvent, from the deployer",
    senders=(DEPLOYER,),
    message=GuestEvent,
    states=get_args(GuestState),
    apart=True,  # from guest.apply and guest.delete
    stream=EVENTS,
    hears=(CLI, RECONFIGURER),
    of_host=True,
)
element: Final = Subject(
    name="element",
    pattern="element.{state}.{guest}.{element}",
    text="an ElementEvent, from the reconfigurer",
    senders=(RECONFIGURER,),
    message=ElementEvent,
    states=get_args(ElementState),
    stream=EVENTS,
    hears=(CLI, PUSHER),
)
trace: Final = Subject(
    name="trace",
    pattern="trace.{traceId}",
    text="finished spans, kept so that `unibpf trace` can print the tree",
    senders=(EVERYBODY,),
    message=SpanRecord,
    stream=TRACES,
    authority="not",
)
audit: Final = Subject(
    name="audit",
    pattern="audit.{program}",
    text="the signer's AuditRecord, written before it signs",
    senders=(SIGNER,),
    message=AuditRecord,
    stream=AUDIT,
    hears=(CLI,),
)
dead_letter: Final = Subject(
    name="deadLetter",
    pattern="dead.{service}",
    text="a DeadLetter",
    senders=(EVERYBODY,),
    message=DeadLetter,
    stream=DEAD,
    hears=(CLI, PUSHER),  # so that a push that was given up ends
)
service_state: Final = Subject(
    name="serviceState",
    pattern="service.{state}.{identity}",
    text="a Readiness, from the service `identity`, whenever it changes",
    senders=SERVICES,
    message=Readiness,
    states=("ready", "unready"),
    stream=EVENTS,
    hears=(CLI,),
)
sign_graph: Final = Subject(
    name="signGraph",
    pattern="signer.sign_graph",
    text="request/reply (ADR-32), a SignGraph answered by a SignedGraph",
    senders=(DEPLOYER,),  # not the command line: graphs are signed for deployers only
    message=SignGraph,
    server=SIGNER,
    answer=SignedGraph,
)
verify: Final = Subject(
    name="verify",
    pattern="verifier.verify",
    text="request/reply (ADR-32), an object answered by its Report; nothing is signed",
    senders=(CLI,),
    bytes_only=True,
    server=VERIFIER,
    answer=Report,
    authority="not",
)
deployer_status: Final = Subject(
    name="deployerStatus",
    pattern="deployer.{host}.status",
    text="request/reply, empty, answered by a HostStatus",
    senders=(CLI,),
    server=DEPLOYER,
    answer=HostStatus,
    authority="not",
)
keep: Final = Subject(
    name="keep",
    pattern="deployer.{host}.keep",
    text="request/reply, a DesiredChange answered by a DesiredChanged",
    senders=(CLI,),
    message=DesiredChange,
    server=DEPLOYER,
    answer=DesiredChanged,
)
put_back: Final = Subject(
    name="putBack",
    pattern="reconfigurer.{host}.put_back",
    text="request/reply, a PutBackQuery answered by a MapsPutBack",
    senders=(DEPLOYER,),
    message=PutBackQuery,
    server=RECONFIGURER,
    answer=MapsPutBack,
)
guest_status: Final = Subject(
    name="guestStatus",
    pattern="reconfigurer.{host}.status",
    text="request/reply, a GuestQuery answered by a GuestStatus",
    senders=(CLI,),
    message=GuestQuery,
    server=RECONFIGURER,
    answer=GuestStatus,
    authority="not",
)
map_dump: Final = Subject(
    name="mapDump",
    pattern="reconfigurer.{host}.dump",
    text="request/reply, a MapQuery answered by a MapDump",
    senders=(CLI,),
    message=MapQuery,
    server=RECONFIGURER,
    answer=MapDump,
)
map_change: Final = Subject(
    name="mapChange",
    pattern="reconfigurer.{host}.change",
    text="request/reply, a MapChange answered by a MapChanged",
    senders=(CLI,),
    message=MapChange,
    server=RECONFIGURER,
    answer=MapChanged,
)
handler_call: Final = Subject(
    name="handlerCall",
    pattern="reconfigurer.{host}.handler",
    text="request/reply, a HandlerCall answered by a HandlerValue",
    senders=(CLI,),
    message=HandlerCall,
    server=RECONFIGURER,
    answer=HandlerValue,
)
rollback: Final = Subject(
    name="rollback",
    pattern="reconfigurer.{host}.rollback",
    text="request/reply, a RollbackQuery answered by an ElementEvent",
    senders=(CLI,),
    message=RollbackQuery,
    server=RECONFIGURER,
    answer=ElementEvent,
)

SUBJECTS: Final = (
    upload,
    verified,
    rejected,
    signed,
    refused,
    guest_apply,
    guest_delete,
    guest_state,
    element,
    trace,
    audit,
    dead_letter,
    service_state,
    sign_graph,
    verify,
    deployer_status,
    keep,
    put_back,
    guest_status,
    map_dump,
    map_change,
    handler_call,
    rollback,
)


@functools.lru_cache(maxsize=4096)
def row_of(subject: str) -> Subject | None:
    """The row that a subject belongs to; None where it is none of ours."""
    words = subject.split(".")
    return next(
        (row for row in SUBJECTS if any(_matches(pattern.split("."), words) for pattern in row.patterns())), None
    )


def _matches(pattern: list[str], words: list[str]) -> bool:
    return len(pattern) == len(words) and all(one in {"*", word} for one, word in zip(pattern, words, strict=True))
