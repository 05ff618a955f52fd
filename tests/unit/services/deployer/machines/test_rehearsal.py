"""services.deployer.machines.rehearsal: when there is room for both, and what the second one shares with the first: nothing."""

from pathlib import Path

from services.deployer.host_config import HostConfig, HostLimits, Network
from services.deployer.machines import rehearsal
from services.deployer.machines.hypervisor import Machine, MachineNic, Running
from tests.support.guests.guests import spec

CONFIG = HostConfig(
    networks={"left": Network(kind="stream"), "right": Network(kind="tap", device="t0")}, limits=HostLimits(guests=2)
)


def memory(tmp_path: Path, mib: int) -> Path:
    file = tmp_path / "meminfo"
    file.write_text(f"MemTotal: 9 kB\nMemAvailable:   {mib << 10} kB\n")
    return file


def test_there_is_room_where_limits_and_memory_allow_both(tmp_path):
    other = spec(guest="g2")
    plenty, little = memory(tmp_path, 8 + rehearsal.SPARE_MIB), memory(tmp_path, 8 + rehearsal.SPARE_MIB)
    assert rehearsal.has_room(CONFIG, spec(), [spec()], memory=plenty)
    assert not rehearsal.has_room(CONFIG, spec(), [spec(), other], memory=plenty), "two guests are the limit"
    little.write_text(f"MemAvailable: {(7 + rehearsal.SPARE_MIB) << 10} kB")
    assert not rehearsal.has_room(CONFIG, spec(), [spec()], memory=little)
    assert not rehearsal.has_room(CONFIG, spec(), [spec()], memory=tmp_path / "absent")


def test_it_shares_no_name_file_port_or_network_with_the_guest(tmp_path):
    nics = [
        MachineNic(name=name, mac=bytes(6), network=CONFIG.networks[network], socket=tmp_path / f"g1.{name}.sock")
        for name, network in (("in0", "left"), ("out0", "right"))
    ]
    real = Machine(
        guest="g1", boot_id="1", kind="microvm", accel="tcg", memory_mib=8, kernel=tmp_path / "kernel", nics=nics,
        image=tmp_path / "image-1.cbor", console=tmp_path / "console-1.log", control_port=1000,
    )  # fmt: skip
    tried = rehearsal.machine_of(real, boot_id="2", control_port=2000)
    assert rehearsal.is_one(Running(guest=tried.guest, boot_id="2", pid=1)) and tried.memory_mib == 8
    assert not rehearsal.is_one(Running(guest=real.guest, boot_id="1", pid=1))
    assert {nic.network.kind for nic in tried.nics} == {"stream"}
    mine = {real.image, real.console, *(nic.socket for nic in real.nics)}
    its = {tried.image, tried.console, *(nic.socket for nic in tried.nics)}
    assert len(mine) == len(its) == 4 and not mine & its
    assert all(len(bytes(a.socket)) <= len(bytes(b.socket)) for a, b in zip(tried.nics, real.nics, strict=True))
    tried.image.touch()
    rehearsal.remove(tried)
    assert not tried.image.exists()
