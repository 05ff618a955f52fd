"""Write `boot_image.txt` and `control_mac.txt`: golden vectors that the Python and the C++ readers must agree with.

Run as `python schemas/golden/generate_control.py`. The files are `[case]` blocks of `field = value` lines: bytes as
hex, numbers in decimal, text as it is. The seeds and keys are made up for the vectors and protect nothing.
"""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from unibpf.formats import boot_image, control_mac
from unibpf.formats.boot_image import BootImage, FirstProgram, Limits, Management, SignerKey

FOLDER = Path(__file__).parent
SEED = bytes(range(32))
BODY = bytes.fromhex("a0")

SMALL = BootImage(
    guest="fw1",
    audience="edge",
    seed=SEED,
    signers=[SignerKey(kid=bytes(8), alg=-8, key=bytes(range(32)))],
    graph_envelope=b"graph envelope",
    graph=b"c :: Control;",
    management=Management(interface=IPv4Interface("10.0.2.15/24")),
    nics={"mgmt": bytes.fromhex("525400000001")},
    started_us=1_700_000_000_000_000,
)

FULL = BootImage(
    guest="fw-2",
    audience="core_1",
    seed=SEED[::-1],
    signers=[
        SignerKey(kid=bytes(range(8)), alg=-8, key=bytes(32)),
        SignerKey(kid=bytes(range(1, 9)), alg=-7, key=b"\x04" + bytes(range(64))),
    ],
    graph_envelope=b"\x00" * 24,
    graph="a :: BPFFilter(PROGRAM firewall); // ö".encode(),
    management=Management(interface=IPv4Interface("192.168.7.9/16"), port=65535, gateway=IPv4Address("192.168.0.1")),
    nics={
        "in0": bytes.fromhex("525400000002"),
        "out0": bytes.fromhex("525400000003"),
        "mgmt": bytes.fromhex("525400000001"),
    },
    started_us=1_700_000_000_000_001,
    programs=[FirstProgram(element="a", envelope=b"envelope", bundle=b"\xff" * 300)],
    floors={"": 3, "a": (1 << 63) - 1},
    limits=Limits(instruction_budget=100_000, probation_ms=0, control_slice_us=200),
)


def boot_cases() -> dict[str, dict[str, str]]:
    """One small and one full image, with the fields a reader must find."""
    return {name: _boot_case(image) for name, image in {"small": SMALL, "full": FULL}.items()}


def mac_cases() -> dict[str, dict[str, str]]:
    """The keys of one seed, then a request and its answer for each method."""
    keys = control_mac.derive("fw1", SEED)
    cases = {
        "keys": {
            "guest": keys.guest,
            "seed": SEED.hex(),
            "nonce": keys.nonce.hex(),
            "to_guest": keys.to_guest.hex(),
            "from_guest": keys.from_guest.hex(),
        }
    }
    asked = [
        ("stage", "PUT", "/elements/fw/program", b"\x82" + bytes(40), 68),
        ("activate", "POST", "/elements/fw/activate", BODY, 68),
        ("status", "FETCH", "/status", BODY, 69),
    ]
    for number, (name, method, path, body, code) in enumerate(asked):
        request = control_mac.seal_request(keys, method=method, path=path, counter=(1 << 40) + number, body=body)
        opened = control_mac.open_request(keys, request.message, method=method, path=path)
        answer = control_mac.seal_answer(keys, opened, code=code, body=b"\xa1\x00\x00")
        cases[name] = {
            "method": str(control_mac.METHODS[method]),
            "path": path,
            "counter": str(request.claims.counter),
            "body": body.hex(),
            "request": request.message.hex(),
            "request_tag": request.tag.hex(),
            "answer_code": str(code),
            "answer_body": "a10000",
            "answer": answer.message.hex(),
        }
    return cases


def render(cases: dict[str, dict[str, str]]) -> str:
    """The text of one file."""
    blocks = [
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in row.items())]) for name, row in cases.items()
    ]
    return "# made by schemas/golden/generate_control.py\n\n" + "\n\n".join(blocks) + "\n"


def files() -> dict[str, str]:
    """Name and text of every file this script writes."""
    return {"boot_image.txt": render(boot_cases()), "control_mac.txt": render(mac_cases())}


def _boot_case(image: BootImage) -> dict[str, str]:
    at, limits = image.management, image.limits
    fields = {
        "image": boot_image.encode(image).hex(),
        "guest": image.guest,
        "audience": image.audience,
        "seed": image.seed.hex(),
        "signers": " ".join(f"{key.kid.hex()}:{key.alg}:{key.key.hex()}" for key in image.signers),
        "graph_envelope": image.graph_envelope.hex(),
        "graph": image.graph.hex(),
        "programs": " ".join(f"{row.element}:{row.envelope.hex()}:{row.bundle.hex()}" for row in image.programs),
        "floors": " ".join(f"{element}:{sequence}" for element, sequence in image.floors.items()),
        "management": f"{at.interface} {at.port} {at.gateway or ''}".strip(),
        "nics": " ".join(f"{name}={mac.hex()}" for name, mac in image.nics.items()),
        "started_us": str(image.started_us),
        "limits": f"{limits.instruction_budget} {limits.probation_ms} {limits.control_slice_us}",
    }
    return {key: value for key, value in fields.items() if value}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
