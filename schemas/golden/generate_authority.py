"""Writes authority.json: statements of authority with their bytes and signatures, by a key that everybody knows."""

import json
from pathlib import Path
from typing import Any, Final

import nkeys  # type: ignore[import-untyped]

from unibpf.authority.statement import Claim, canonical

SEED: Final = bytes(range(32))
AT: Final = 1_764_561_600_000_001
ROWS: Final[tuple[dict[str, Any], ...]] = (
    {"subject": "unibpf.v1.guest.apply.fw1", "identity": "cli", "payload": '{"guest": "fw1"}', "headers": {}},
    {
        "subject": "unibpf.v1.guest.delete.fw1",
        "identity": "cli",
        "payload": "",
        "headers": {"traceparent": "00-not-covered"},
    },
    {
        "subject": "unibpf.v1.program.upload.ci.fw",
        "identity": "ci",
        "payload": "\x7fELF",
        "headers": {"Unibpf-Element": " fw ", "Unibpf-Audience": "edge", "ce-id": "not covered", "unibpf-z": "ü"},
    },
    {
        "subject": "$KV.unibpf-leases.fw1",
        "identity": "deployer-a",
        "payload": '{"host": "a", "until": 1}',
        "headers": {"Nats-Expected-Last-Subject-Sequence": "7", "KV-Operation": "DEL"},
    },
)


def vectors() -> list[dict[str, Any]]:
    """Each row with what is signed, in hex, and the header that says so."""
    key = nkeys.from_seed(nkeys.encode_seed(SEED, nkeys.PREFIX_BYTE_USER))
    found = []
    for number, row in enumerate(ROWS):
        claim = Claim(identity=row["identity"], at_us=AT + number, nonce=f"{number:032x}")
        signed = canonical(row["subject"], claim, row["payload"].encode(), row["headers"])
        done = Claim(identity=claim.identity, at_us=claim.at_us, nonce=claim.nonce, signature=key.sign(signed))
        found.append({**row, "public_key": key.public_key.decode(), "signed": signed.hex(), "authority": done.header()})
    return found


if __name__ == "__main__":
    text = json.dumps(vectors(), indent=2, ensure_ascii=False)
    Path(__file__).with_name("authority.json").write_text(text + "\n")
