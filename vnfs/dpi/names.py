"""Prints entries of the map `names` for `unibpf map set GUEST dpi names --file FILE`: `names.py ACTION NAME...`.

ACTION is pass, drop or a port; it is about the name and all names below it.
"""

import json
import struct
import sys

NAME_BYTES = 64  # state.h
ACTIONS = {"pass": 0, "drop": 1}


def key_of(name: str) -> bytes:
    """The number of bits, then the name backwards and a dot, so that `example.com` holds for `www.example.com`."""
    text = name.rstrip(".").lower().encode("ascii")[::-1] + b"."
    if not 1 < len(text) < NAME_BYTES:
        raise ValueError(f"`{name}` has to have 1 to {NAME_BYTES - 2} characters")
    return struct.pack("<I", len(text) * 8) + text.ljust(NAME_BYTES, b"\0")


def value_of(action: str) -> bytes:
    """The action and no hits yet."""
    return struct.pack("<II", ACTIONS[action] if action in ACTIONS else int(action), 0)


def entry(action: str, name: str) -> dict[str, str]:
    return {"key": f"hex:{key_of(name).hex()}", "value": f"hex:{value_of(action).hex()}"}


if __name__ == "__main__":
    print(json.dumps([entry(sys.argv[1], name) for name in sys.argv[2:]], indent=1))
