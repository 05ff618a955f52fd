"""Where a guest answers, without a look-up: numeric addresses are used as they are.

aiocoap looks up every host with AI_ADDRCONFIG. That flag hides IPv4 on a host whose only IPv4 address is the loopback one and
that has a link-local IPv6 address: "no address information for 127.0.0.1", and every guest of the host was lost.
"""

import ipaddress

import aiocoap  # type: ignore[import-untyped]
from aiocoap.transports.udp6 import (  # type: ignore[import-untyped]
    MessageInterfaceUDP6,
    UDP6EndpointAddress,
)


def numeric_remote(context: aiocoap.Context, address: str) -> UDP6EndpointAddress | None:
    """The remote of `host:port` or `[host]:port`; None for a name, which somebody has to look up."""
    host, _, port = address.rpartition(":")
    try:
        ip = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        return None  # a zone's name: aiocoap knows what it means
    mapped = f"::ffff:{ip}" if ip.version == 4 else str(ip)  # RFC 4291 2.5.5.2, as aiocoap's one socket wants it
    for manager in context.request_interfaces:
        interface = getattr(getattr(manager, "token_interface", None), "message_interface", None)
        if isinstance(interface, MessageInterfaceUDP6):
            return UDP6EndpointAddress((mapped, int(port), 0, 0), interface)
    return None
