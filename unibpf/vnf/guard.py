"""The lists, limits and servers of `vnfs/ddos` as its maps have them. Pure."""

import struct
from typing import Final

from unibpf.vnf.settings import Rows, SettingsError, Table, mapped_prefix, word

MOST_PREFIXES: Final = {"lists": 8192, "limits": 256, "servers": 256}  # as vnfs/ddos/state.h
MOST_BURST: Final = 1_000_000
MOST_RATE: Final = 100_000_000
LISTS: Final = ("block", "allow")
MODES: Final = ("never", "always", "above-rate")
SECRET_BYTES: Final = 16


def fill(document: Table) -> Rows:
    """Entries of the maps `lists`, `limits`, `servers` and, with a secret, `config`; raises SettingsError."""
    rows: Rows = {
        "lists": [_listed(table) for table in document.tables("list")],
        "limits": [_limit(table) for table in document.tables("limit")],
        "servers": [_server(table) for table in document.tables("server")],
    }
    if document.has("secret"):
        rows["config"] = [(word(0), _secret(document))]
    document.done()
    for name, most in MOST_PREFIXES.items():
        keys = [key for key, _ in rows[name]]
        if len(keys) > most:
            raise SettingsError(f"got {len(keys)} {name}, at most {most} have room")
        if len(set(keys)) < len(keys):
            raise SettingsError(f"a prefix is twice among the {name}")
    return rows


def _key(table: Table) -> bytes:
    bits, address = mapped_prefix(table.network("prefix"))
    return word(bits) + address


def _listed(table: Table) -> tuple[bytes, bytes]:
    row = _key(table), struct.pack("<QII", 0, table.choice("action", LISTS) + 1, 0)
    table.done()
    return row


def _limit(table: Table) -> tuple[bytes, bytes]:
    network = table.network("prefix")
    bits = table.number("bits", network.max_prefixlen, least=network.prefixlen, most=network.max_prefixlen)
    rate, burst = table.number("rate", most=MOST_RATE), table.number("burst", least=1, most=MOST_BURST)
    row = _key(table), struct.pack("<III", rate, burst, bits + 128 - network.max_prefixlen)
    table.done()
    return row


def _server(table: Table) -> tuple[bytes, bytes]:
    mode = table.choice("mode", MODES, "always")
    row = _key(table), struct.pack("<QIIII", 0, 0, 0, table.number("rate", 0), mode)
    table.done()
    return row


def _secret(document: Table) -> bytes:
    try:
        secret = bytes.fromhex(document.text("secret"))
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise SettingsError(f"the file: `secret` should be {SECRET_BYTES} bytes in hex")
    return secret
