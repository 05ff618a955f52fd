"""A capture file of either format: the packets in it, or the command's end."""

from pathlib import Path

from unibpf.cli.output import Exit, fail
from unibpf.formats import pcap, pcapng


def read(path: Path) -> list[bytes]:
    """The packets in their order; ends the command where there are none."""
    try:
        with path.open("rb") as file:
            data = file.read(pcap.MAX_BYTES + 1)
        found = pcapng.packets(data) if data.startswith(pcapng.MAGIC) else pcap.packets(data)
    except OSError as error:
        fail(Exit.USAGE, f"`{path}` cannot be read: {error.strerror}")
    except pcap.PcapError as error:
        fail(Exit.USAGE, f"`{path}`: {error}")
    if not found:
        fail(Exit.USAGE, f"`{path}` holds no packet")
    return found
