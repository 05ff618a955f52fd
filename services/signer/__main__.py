"""`python -m services.signer`: the service.   `python -m services.signer init-token`: a SoftHSM token (see token.py)."""

import argparse
import asyncio
import os
import sys
import time

from services.signer import policy
from services.signer.checking import EXECUTABLE, Checker
from services.signer.errors import SignerError
from services.signer.hsm import Hsm
from services.signer.service import Demands, Signer
from services.signer.settings import Settings
from services.signer.token import init_token
from unibpf import tracing
from unibpf.bus import Bus, BusError, BusSettings
from unibpf.host import identity, logs, process
from unibpf.host.identity import IdentityError
from unibpf.host.ledger import Ledger, LedgerError
from unibpf.host.settings import SettingError

NAME = "signer"


async def serve(settings: Settings) -> None:
    """Connect, work as soon as the token is there until cancelled."""
    demands = Demands(
        verifier_key=settings.pinned_verifier(),
        checker=Checker(executable=settings.binaries / EXECUTABLE, budget=settings.budget),
        policy=policy.load(settings.policy),
    )
    tracing.init(NAME)
    own = identity.load(settings.paths.keys, NAME)
    hsm = Hsm.closed(settings.hsm)
    try:
        async with await Bus.connect(BusSettings(url=settings.url, identity=own)) as bus:
            ledger = Ledger.open(settings.ledger, now_ms=int(time.time() * 1000))
            signer = await Signer.create(bus, hsm, demands, ledger)
            await signer.run(workers=settings.workers)
    finally:
        await hsm.close()


def main() -> int:
    """Exit codes: 0 ended by a signal, 1 could not start."""
    parser = argparse.ArgumentParser(prog="python -m services.signer", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["serve", "init-token"], default="serve")
    arguments = parser.parse_args()
    logs.configure(NAME)
    settings = Settings.from_environment(os.environ)
    try:
        if arguments.command == "init-token":
            print(init_token(settings).kid.hex())
        else:
            asyncio.run(process.until_signalled(serve(settings)))
    except (SignerError, SettingError, BusError, IdentityError, LedgerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
