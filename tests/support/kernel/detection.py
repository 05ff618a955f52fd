"""What the tests of detection and prevention share: rules as settings, alerts as their numbers."""

import struct
from dataclasses import dataclass

from tests.support.kernel.function_runs import Preset, Run
from unibpf.vnf.filling import fill

ALERT_BYTES = 64


@dataclass(frozen=True)
class Alert:
    """One record of the ring, but for its time."""

    flow: bytes
    rule: int
    action: int
    length: int


def presets(text: str) -> list[Preset]:
    return [(name, key, value) for name, rows in fill("ids", text.encode()).items() for key, value in rows]


def alerts(run: Run) -> list[Alert]:
    found = []
    for record in run.records["alerts"]:
        flow = record[8:48]
        found.append(Alert(flow, *struct.unpack_from("<III", record, 48)))
    return found


def told(run: Run) -> list[int]:
    return [alert.rule for alert in alerts(run)]
