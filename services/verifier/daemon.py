"""`python -m services.verifier`: the service on the bus, until SIGTERM or SIGINT."""

import asyncio
import contextlib
import logging
import os
import signal
import sys

from services.verifier.report import VERSION, digest
from services.verifier.service import VerifierService, make_analyser, make_pool, step_span
from services.verifier.settings import Settings
from services.verifier.verification import Verification
from unibpf import identity, tracing
from unibpf.bus import Bus, BusError, BusSettings
from unibpf.identity import IdentityError


def main(arguments: list[str]) -> int:
    """Run until told to stop; returns the exit code. There are no arguments."""
    if arguments:
        print(f"error: got `{arguments[0]}`, expected `verify` or nothing", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        settings = Settings.from_environment(os.environ)
        asyncio.run(_run(settings))
    except (BusError, IdentityError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


async def _run(settings: Settings) -> None:
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("asyncio.run makes a task")
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    tracing.init("verifier")
    analyser, pool = make_analyser(settings), make_pool(settings)
    key = identity.load(settings.keys, settings.identity)
    with contextlib.suppress(asyncio.CancelledError):
        await pool.warm()
        async with await Bus.connect(BusSettings(url=settings.url, identity=key)) as bus:
            service = VerifierService(
                bus=bus,
                verification=Verification(translate=pool.translate, analyser=analyser, span=step_span),
                revision=f"{VERSION} {_revision(analyser.executable)}",
            )
            await service.run(concurrency=settings.workers)
    await pool.close()


def _revision(executable: os.PathLike[str]) -> str:
    """The analyser's digest: another binary has other opinions. A missing one is told when it is first needed."""
    try:
        with open(executable, "rb") as file:  # noqa: PTH123
            return digest(file.read())
    except OSError:
        return "missing"
