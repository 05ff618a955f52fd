"""The bus: NATS with JetStream, the only store between services (design 4)."""

from nats.micro.request import ServiceError

from unibpf.bus.client import Bus, BusSettings
from unibpf.bus.consumer import consume
from unibpf.bus.errors import (
    BusError,
    BusFull,
    BusNotReady,
    BusUnavailable,
    Conflict,
    ObjectCorrupt,
    ObjectMissing,
    PermissionDenied,
    Reject,
    RequestFailed,
    RequestTimeout,
    Retry,
    Swallowed,
)
from unibpf.bus.follower import Follower
from unibpf.bus.kv import Bucket, Entry
from unibpf.bus.received import Received

__all__ = [
    "Bucket",
    "Bus",
    "BusError",
    "BusFull",
    "BusNotReady",
    "BusSettings",
    "BusUnavailable",
    "Conflict",
    "Entry",
    "Follower",
    "ObjectCorrupt",
    "ObjectMissing",
    "PermissionDenied",
    "Received",
    "Reject",
    "RequestFailed",
    "RequestTimeout",
    "Retry",
    "ServiceError",
    "Swallowed",
    "consume",
]
