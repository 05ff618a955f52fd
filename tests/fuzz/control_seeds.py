"""Writes the seeds of the fuzzers of the control channel, one folder each, from real messages of real encoders.

python tests/fuzz/control_seeds.py CORPUS && build/bin/tests/fuzz_coap -max_total_time=20 CORPUS/coap
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.guests import live_guest
from tests.support.signing.signing import Signer, signed_bundle
from unibpf.formats import boot_image, cbor, control_mac, envelope


def datagrams(*messages: bytes) -> bytes:
    """What fuzz_coap cuts its input into."""
    return b"".join(len(message).to_bytes(2) + message for message in messages)


def coap(body: bytes) -> dict[str, bytes]:
    path = "/elements/fw/staged"
    blocks = [body[at : at + 1024] for at in range(0, len(body), 1024)]
    upload = [
        live_guest.message(
            live_guest.PUT, path, {27: live_guest.uint(n << 4 | (n + 1 < len(blocks)) << 3 | 6)}, block, message_id=n
        )
        for n, block in enumerate(blocks)
    ]
    download = [
        live_guest.message(live_guest.FETCH, "/status", {23: live_guest.uint(n << 4 | 6)}, b"", message_id=n)
        for n in range(3)
    ]
    change = live_guest.message(
        live_guest.POST, "/elements/fw/maps/hits", {}, cbor.encode({0: [[bytes(4), bytes(8)]]}), message_id=9
    )
    spread = [
        part for message in upload for part in (message, b"\x40\x00\x00\x01")
    ]  # one peer uploads, the other pings
    downloads = [part for message in download for part in (message, message)]
    return {"upload": datagrams(*spread), "download": datagrams(*downloads), "change": datagrams(change, change)}


def maps() -> dict[str, bytes]:
    """For the maps of fuzz_maps.cpp: keys and values of 3 and 5, 4 and 8, 1 and 1 bytes."""
    bodies = {
        f"set-{key}-{value}": {0: [[bytes(key), bytes(value)], [b"\1" * key, b"\2" * value], [bytes(key)]], 1: flags}
        for flags, (key, value) in enumerate([(3, 5), (4, 8), (1, 1)])
    }
    queries = {f"get-{key}": {2: bytes(key)} for key in (1, 3, 4)} | {
        "page": {0: 1, 1: 2},
        "release": {0: [], 2: bytes(32)},
    }
    return {name: cbor.encode(items) for name, items in (bodies | queries).items()}


def main(corpus: Path) -> None:
    signer = Signer()
    program = live_guest.counting_filter(2, filler=200)
    signed = signer.release(program, sequence=2)
    sealed = control_mac.seal_request(
        control_mac.derive("fw1", b"\x01" * 32), method="PUT", path="/elements/fw/program", counter=1, body=b"\xa0"
    )
    image = live_guest.boot(signer, programs=[live_guest.first_program(signer, program)], floors={"": 1})
    folders = {
        "coap": coap(signed_bundle(signed, program)),
        "envelope": {
            "signed": signed_bundle(signed, program),
            "sealed": sealed.message,
            "release": envelope.parse(signed).payload,
            "envelope": signed,
        },
        "maps": maps(),
        "boot": {"image": boot_image.encode(image)},
    }
    for name, seeds in folders.items():
        (corpus / name).mkdir(parents=True, exist_ok=True)
        for seed, data in seeds.items():
            (corpus / name / seed).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
