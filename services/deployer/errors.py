"""The deployer's errors.

DeployerError
├── HostConfigError     the host's own configuration is wrong or lacks what a guest asks for
├── SpecError           a guest asks for what this host does not give
├── BootError           a guest did not become ready, or what it would boot with is missing
│   └── SignerAway      the signer could not be asked for the graph's signature
├── HypervisorError     libvirt, QEMU or the process guest refused
│   └── PortTaken       somebody else took the port of its control channel first
└── LeaseError          another host holds the guest: it is no longer ours to boot, or to report on
"""


class DeployerError(Exception):
    """Base; `rule` is stable, `hint` says what to do next.

    `is_passing`: what failed is not what was asked for, and may be there at the next try.
    """

    is_passing = False

    def __init__(self, rule: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.hint = hint


class HostConfigError(DeployerError):
    """The operator of the host is to change something."""


class SpecError(DeployerError):
    """Whoever applied the guest is to change something."""


class BootError(DeployerError):
    """The guest did not come up; a later attempt may succeed."""


class HypervisorError(DeployerError):
    """The hypervisor refused; a later attempt may succeed."""


class PortTaken(HypervisorError):  # noqa: N818  what happened
    """Between the choice of the port and its use; the next try chooses another one."""

    is_passing = True


class SignerAway(BootError):  # noqa: N818  what happened
    """The signer could not be asked."""

    is_passing = True


class LeaseError(DeployerError):
    """Nobody is to change anything: the guest is looked after by another host."""
