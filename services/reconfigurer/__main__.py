"""`python -m services.reconfigurer`: wiring of one host's reconfigurer; ends on SIGTERM."""

import asyncio
import os
import sys

from services.reconfigurer.coap_client import CoapClient
from services.reconfigurer.errors import ReconfigurerError
from services.reconfigurer.service import Reconfigurer
from services.reconfigurer.sessions import Sessions
from services.reconfigurer.settings import Settings
from unibpf import tracing
from unibpf.bus import Bus, BusError, BusSettings
from unibpf.host import identity, logs, process
from unibpf.host.identity import IdentityError
from unibpf.host.settings import SettingError


async def _main() -> None:
    settings = Settings.from_environment(os.environ)
    tracing.init("reconfigurer")
    key = identity.load_of_host(settings.paths.keys, "reconfigurer", settings.host)
    async with await Bus.connect(BusSettings(url=settings.nats_url, identity=key)) as bus:
        client = await CoapClient.create(limit=settings.coap_timeout)
        sessions = Sessions(paths=settings.paths, exchange=client)
        try:
            await Reconfigurer(bus=bus, settings=settings, sessions=sessions).run()
        finally:
            await client.close()


def main() -> int:
    """Run until told to stop; the exit code is 1 when the service could not work."""
    logs.configure("reconfigurer")
    try:
        asyncio.run(process.until_signalled(_main()))
    except (ReconfigurerError, SettingError, BusError, IdentityError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
