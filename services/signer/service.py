"""The signer's adapter: verified pushes in, `signed` or `refused` out; graphs on request. No decisions here."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from services.signer import verdicts
from services.signer.checking import Checker
from services.signer.errors import CheckerError, EvidenceError, HsmError, PolicyRefusal
from services.signer.graphs import Graphs
from services.signer.hsm import Hsm
from services.signer.policy import Policy
from services.signer.programs import Programs
from services.signer.sequence import Sequences
from services.signer.signing import Signing
from services.signer.upkeep.keeping import Keeping
from services.signer.upkeep.lists import Lists
from unibpf import subjects
from unibpf.bus import Bus, ObjectCorrupt, ObjectMissing, Received, Reject, Retry, ServiceError, consume, topology
from unibpf.bus.stores.health import Stores, watching
from unibpf.host.ledger import Ledger, LedgerError
from unibpf.host.readiness import Outlook
from unibpf.messages.graphs import SignedGraph, SignGraph
from unibpf.messages.programs import Refused, Signed, Verdict

logger = logging.getLogger(__name__)

SERVICE = "unibpf-signer"
CONSUMER = "signer"
LEDGER_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What must hold before anything is signed: the pinned verifier said it, the checker proved it, the policy allows it."""

    verifier_key: str
    checker: Checker
    policy: Policy


class Signer:
    """One copy of the service; any number may run."""

    def __init__(self, bus: Bus, hsm: Hsm, *, programs: Programs, graphs: Graphs, demands: Demands) -> None:
        self._bus = bus
        self._hsm = hsm
        self._opening: asyncio.Task[None] | None = None
        self._programs = programs
        self._graphs = graphs
        self._verifier_key = demands.verifier_key
        self._checker = demands.checker
        self._stores = Stores(bus, CONSUMER, alarms=True)
        lacks = [hsm.lacking, demands.checker.lacking, programs.signing.ledger.lacking]
        self._outlook = Outlook(SERVICE, lacks=lacks, around=[self._stores.check])
        self._stores.outlook = self._outlook
        self._keeping = Keeping(bus)
        self._stores.more_alarms = lambda: self._keeping.alarm

    @classmethod
    async def create(
        cls, bus: Bus, hsm: Hsm, demands: Demands, ledger: Ledger, *, clock: Callable[[], float] = time.time
    ) -> "Signer":
        """Wire the parts together; `clock` gives Unix seconds."""
        sequences = Sequences(
            counters=await bus.kv(topology.SEQUENCES), reservations=await bus.kv(topology.RESERVATIONS)
        )
        signing = Signing(bus=bus, hsm=hsm, sequences=sequences, ledger=ledger)
        releases = await bus.kv(topology.RELEASES)
        listed = await bus.kv(topology.RELEASE_LISTS)
        lists = Lists(bus=bus, hsm=hsm, ledger=ledger, releases=releases, lists=listed, clock=clock)
        programs = Programs(
            signing=signing, checker=demands.checker, releases=releases, policy=demands.policy, clock=clock, lists=lists
        )
        graphs = Graphs(signing=signing, policy=demands.policy, clock=clock)
        return cls(bus, hsm, programs=programs, graphs=graphs, demands=demands)

    async def run(self, *, workers: int = 1) -> None:
        """Serve and consume until cancelled."""
        endpoints = {subjects.sign_graph(): self.on_sign_graph}
        about = "signs verified programs and graphs inside an HSM"
        await self._bus.serve(SERVICE, endpoints, description=about, about=self._outlook.now)
        beside = [asyncio.create_task(self._keeping.run(), name="keep objects")]
        try:
            async with watching(self._bus, self._outlook):
                await self._outlook.until_able()
                beside.append(asyncio.create_task(self._programs.lists.run(), name="lists"))
                await consume(self._bus, CONSUMER, self.on_verified, concurrency=workers)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def on_verified(self, received: Received) -> None:
        """`program.verified`: sign, refuse, or put aside."""
        try:
            verdict = verdicts.believe(received.data, received.signature, self._verifier_key)
        except EvidenceError as error:
            raise Reject(error.rule, str(error)) from error
        started = time.monotonic()
        try:
            signed = await self._released(verdict)
        except PolicyRefusal as error:
            await self._refuse(verdict, error.rule, str(error), error.hint)
            logger.info("push", extra=_line(verdict, started, outcome="refused", code=error.rule, detail=str(error)))
        except EvidenceError as error:
            await self._refuse(verdict, error.rule, str(error), None)
            raise Reject(error.rule, str(error)) from error
        except (CheckerError, ObjectMissing, ObjectCorrupt) as error:
            raise Retry(str(error)) from error
        else:
            await self._bus.publish(subjects.signed(verdict.program), signed)
            logger.info("push", extra=_line(verdict, started, outcome="signed", sequence=signed.sequence))

    async def _released(self, verdict: Verdict) -> Signed:
        """The release. A push waits here for token and checker: that costs none of its deliveries, so none ends as dead."""
        while True:
            if not self._checker.is_there():
                await self._outlook.until_able()
            try:
                return await self._programs.release(verdict)
            except HsmError as error:
                logger.warning("push waits for the token", extra={"push_id": verdict.push_id, "detail": str(error)})
                await self._hsm.until_usable()
            except LedgerError as error:
                logger.warning("push waits for the ledger", extra={"push_id": verdict.push_id, "detail": str(error)})
                await asyncio.sleep(LEDGER_SECONDS)
                await self._outlook.until_able()

    async def on_sign_graph(self, received: Received) -> SignedGraph:
        """`signer.sign_graph`: 403 when the policy refuses, 503 when the token cannot sign now."""
        request, started = received.decode(SignGraph), time.monotonic()
        outcome, code = "failed", ""
        try:
            signed = await self._graphs.sign(request)
            outcome = "signed"
            return signed
        except PolicyRefusal as error:
            outcome, code = "refused", error.rule
            raise ServiceError("403", f"{error.rule}: {error}") from error
        except HsmError as error:
            code = "hsm"
            self._reopen()
            raise ServiceError("503", f"hsm: {error}") from error
        except LedgerError as error:
            code = "ledger"
            raise ServiceError("503", f"ledger: {error}") from error
        finally:
            about = {"guest": request.guest, "audience": request.audience, "graph": request.name}
            logger.info("graph", extra={**about, "outcome": outcome, "code": code, "ms": _since(started)})

    def _reopen(self) -> None:
        """Whoever asks for a graph gets his answer now; the token is opened meanwhile."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._hsm.until_usable(), name="reopen the token")

    async def _refuse(self, verdict: Verdict, rule: str, reason: str, hint: str | None) -> None:
        refused = Refused(
            push_id=verdict.push_id,
            program=verdict.program,
            audience=verdict.audience,
            identity=verdict.identity,
            rule=rule,
            reason=reason,
            hint=hint,
        )
        await self._bus.publish(subjects.refused(verdict.program), refused)


def _line(verdict: Verdict, started: float, **more: str | int) -> dict[str, str | int | float | None]:
    """The canonical line of one push."""
    return {
        "push_id": verdict.push_id,
        "program": verdict.program,
        "audience": verdict.audience,
        "digest": verdict.bundle,
        **more,
        "ms": _since(started),
    }


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 3)
