"""`python -m services.verifier`: the service on the bus, until SIGTERM or SIGINT."""

import asyncio
import functools
import os
import sys
from pathlib import Path

from services.verifier.errors import Trouble
from services.verifier.processes import second_verifier
from services.verifier.processes.worker import QUIET_SECONDS
from services.verifier.report import digest
from services.verifier.service import VerifierService, make_analyser, make_pool, step_span
from services.verifier.settings import Settings
from services.verifier.verification import Verification
from unibpf import VERSION, tracing
from unibpf.bus import Bus, BusError, BusSettings
from unibpf.bus.stores.health import Stores
from unibpf.host import fenced, identity, logs, process
from unibpf.host.identity import IdentityError
from unibpf.host.readiness import Outlook

NAME = "verifier"


def main(arguments: list[str]) -> int:
    """Exit codes: 0 ended by a signal, 1 could not start, 2 wrong call."""
    if arguments:
        print(f"error: got `{arguments[0]}`, expected `verify` or nothing", file=sys.stderr)
        return 2
    logs.configure(NAME)
    try:
        asyncio.run(process.until_signalled(_serve(Settings.from_environment(os.environ))))
    except (Trouble, BusError, IdentityError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: Settings) -> None:
    tracing.init(NAME)
    ahead, pool = fenced.Ahead(quiet=QUIET_SECONDS), make_pool(settings)
    analyser = make_analyser(settings, ahead)
    also = [second_verifier.find(name) for name in settings.also]
    own = identity.load(settings.keys, settings.identity)
    try:
        async with await Bus.connect(BusSettings(url=settings.url, identity=own)) as bus:
            stores = Stores(bus, "verifier")
            outlook = Outlook("unibpf-verifier", lacks=[analyser.lacking, pool.lacking], around=[stores.check])
            stores.outlook = outlook
            service = VerifierService(
                bus=bus,
                outlook=outlook,
                verification=Verification(translate=pool.translate, analyser=analyser, span=step_span, also=also),
                offers=settings.offers,
                revision=functools.cache(
                    lambda: " ".join([VERSION, _revision(analyser.executable), *(other.revision for other in also)])
                ),
            )
            await service.run(concurrency=settings.workers)
    finally:
        await pool.close()
        await ahead.close()


def _revision(executable: Path) -> str:
    """The analyser's digest: another binary has other opinions."""
    return digest(executable.read_bytes())
