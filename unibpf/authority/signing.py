"""Say a message with authority: the header that goes with it."""

import secrets
import time
from collections.abc import Mapping

from msgspec.structs import replace

from unibpf.authority.statement import HEADER, Claim, canonical
from unibpf.host.identity import Identity


def signed(identity: Identity, subject: str, data: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """`headers` with the header of authority; after this no header that is covered may change."""
    claim = Claim(identity=identity.name, at_us=time.time_ns() // 1000, nonce=secrets.token_hex(16))
    claim = replace(claim, signature=identity.sign(canonical(subject, claim, data, headers)))
    return {**headers, HEADER: claim.header()}
