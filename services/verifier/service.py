"""The adapter: uploads in, verdicts out. It decides nothing: verification and verdict are made in pure modules.

For every upload, in this order: subject and headers, size cap, remembered outcome or verification, bytes into the object store
(object, bundle, certificate, report), the signed Verdict. The Verdict comes after everything that it names by digest, so a
crash at any point leaves nothing that points nowhere; after one, a redelivery publishes a second Verdict on the same push, and
the signer answers both with one release.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import msgspec

from services.verifier import report
from services.verifier.classes import Offers
from services.verifier.errors import Broken, Malformed
from services.verifier.frontend.frontend import Answer, Options
from services.verifier.processes.analysis import EXECUTABLE, Analyser, AnalyserOptions
from services.verifier.processes.worker import Pool
from services.verifier.remembered import Remembered
from services.verifier.report import Outcome
from services.verifier.settings import Settings
from services.verifier.verdict import Push, verdict
from services.verifier.verification import Verification
from unibpf import subjects, tracing
from unibpf.bus import Bus, ObjectCorrupt, ObjectMissing, Received, Retry, ServiceError, consume
from unibpf.bus.stores.health import watching
from unibpf.bus.topology import UPLOADED
from unibpf.host import fenced
from unibpf.host.readiness import Outlook
from unibpf.messages.reports import Finding, Report
from unibpf.push.upload import MAPS, MAX_OBJECT_BYTES, Upload, UploadError, parse

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Found:
    """An outcome, and the digest of its object."""

    outcome: Outcome
    object: str


@dataclass(frozen=True, kw_only=True)
class VerifierService:
    """One copy of the service; `revision` tells analyser binaries apart in what it remembers."""

    bus: Bus
    verification: Verification
    revision: Callable[[], str]  # of the analyser, which may have to be waited for
    outlook: Outlook
    offers: Offers
    remembered: Remembered = field(default_factory=Remembered)

    async def run(self, *, concurrency: int) -> None:
        """Serve until cancelled."""
        endpoints = {subjects.verify(): self.answer}
        about = self.outlook.now
        await self.bus.serve("unibpf-verifier", endpoints, description="verify without signing", about=about)
        async with watching(self.bus, self.outlook):
            await self.outlook.until_able()
            await consume(self.bus, "verifier", self.handle, concurrency=concurrency)

    async def handle(self, received: Received) -> None:
        """Verify one upload and say what came of it. While the analyser is away the upload waits here."""
        await self.outlook.until_able()
        started = time.perf_counter()
        push = Push.of(received)
        found = await self._find(push, received)
        message = verdict(push, found.outcome, object_digest=found.object)
        subject = (subjects.verified if message.verdict == "safe" else subjects.rejected)(message.program)
        await self.bus.publish(subject, message, signed=True)
        logger.info(
            "verified",
            extra={
                "trace_id": tracing.trace_id(),
                "subject": received.subject,
                "digest": found.object,
                "outcome": message.verdict,
                "summary": message.summary,
                "ms": round((time.perf_counter() - started) * 1e3, 3),
            },
        )

    async def answer(self, received: Received) -> Report:
        """Endpoint `verify`: the report alone; nothing is stored, nothing is signed."""
        try:
            upload = parse(received.headers)
            data = await self._bytes(upload, received)
            outcome = await self._verification(upload).verify(data, self._options(upload))
        except UploadError as error:
            raise ServiceError("400", f"{error.rule}: {error}") from error
        except (Malformed, Retry) as error:
            raise ServiceError("404", str(error)) from error
        except Broken as error:
            raise ServiceError("503", str(error)) from error
        return msgspec.structs.replace(outcome.report, certificate=None)  # it is stored for no one

    async def _find(self, push: Push, received: Received) -> _Found:
        """Return the outcome, with everything that it names stored."""
        found = await self._verified(push, received)
        unknown = sorted(set(push.maps) - set(found.outcome.report.maps))
        if found.outcome.report.verdict != "safe" or not unknown:
            return found
        known = ", ".join(f"`{name}`" for name in found.outcome.report.maps) or "none"
        error = UploadError("upload-header", f"header `{MAPS}`: the program has no map `{unknown[0]}`, it has {known}")
        return await self._refused(push, received, error)

    async def _verified(self, push: Push, received: Received) -> _Found:
        try:
            upload = parse(received.headers)
            data = await self._bytes(upload, received)
        except (UploadError, Malformed) as error:
            return await self._refused(push, received, error)
        verification, options = self._verification(upload), self._options(upload, name=push.program)
        digest = hashlib.sha256(data).hexdigest()
        key = f"{digest} {verification.options_digest(options)} {self.revision()}"
        known = self.remembered.find(key)
        storing = asyncio.create_task(self.bus.put_object(data, store=UPLOADED))
        try:
            outcome = known or await verification.verify(data, options)
        except Broken as error:
            raise Retry(str(error)) from error
        finally:
            await storing
        await self._store(outcome, is_new=known is None)  # a new report tells the time that it took, so nobody has it
        self.remembered.keep(key, outcome)
        return _Found(outcome, digest)

    async def _bytes(self, upload: Upload, received: Received) -> bytes:
        if upload.object is None:
            return received.data
        try:
            return await self.bus.get_object(upload.object, store=UPLOADED, max_bytes=MAX_OBJECT_BYTES)
        except ObjectCorrupt as error:
            raise Malformed("object-corrupt", str(error)) from error
        except ObjectMissing as error:
            raise Retry(str(error)) from error

    async def _refused(self, push: Push, received: Received, error: UploadError | Malformed) -> _Found:
        options = self.verification.options_digest(Options(name=push.program))
        answer = Answer(finding=Finding(rule=error.rule, message=str(error)), bad_input=True)
        outcome = report.rejected(push.program, answer, options)
        await self._store(outcome)
        return _Found(outcome, await self.bus.put_object(received.data, store=UPLOADED))

    async def _store(self, outcome: Outcome, *, is_new: bool = False) -> None:
        """The report, which may be known to be a new one, and bundle and certificate, which another object may have had."""
        storing = [self.bus.put_object(report.encode(outcome.report), is_new=is_new)]
        storing += [self.bus.put_object(data) for data in (outcome.bundle, outcome.certificate) if data]
        await asyncio.gather(*storing)

    def _verification(self, upload: Upload) -> Verification:
        """For guests of the class that the push is for."""
        return self.verification.within(self.offers.of(upload.audience).asked(upload.budget))

    def _options(self, upload: Upload, *, name: str | None = None) -> Options:
        return Options(
            name=name,
            section=upload.section,
            function=upload.function,
            kind=upload.kind,
            loading=upload.loading,
            memory_mib=self.offers.of(upload.audience).memory_mib,
        )


def step_span(name: str) -> AbstractContextManager[object]:
    """Time a step of a verification in the current trace."""
    return tracing.span(name)


def make_analyser(settings: Settings, ahead: fenced.Ahead | None = None) -> Analyser:
    """The analyser that the settings name."""
    return Analyser(
        executable=settings.binaries / EXECUTABLE,
        options=AnalyserOptions(
            max_seconds=settings.seconds, max_mebibytes=settings.memory_mib, budget=settings.budget
        ),
        certificate=True,
        ahead=ahead,
    )


def make_pool(settings: Settings) -> Pool:
    """The front end's workers; patience covers their own limits (fence.Limits) and a cold start."""
    return Pool(size=settings.workers, wall_seconds=20.0)
