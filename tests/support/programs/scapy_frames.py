"""Frames as scapy would have made them."""

from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether


def anew(frame: bytes) -> bytes:
    """The frame with every checksum and length computed by scapy instead; UDP without a checksum stays so."""
    packet = Ether(frame)
    layer = packet
    while layer:
        for field in ("chksum", "cksum", "len", "plen"):
            if field in layer.fields and not (isinstance(layer, UDP) and layer.fields.get("chksum") == 0):
                del layer.fields[field]
        layer = layer.payload
    return bytes(packet)
