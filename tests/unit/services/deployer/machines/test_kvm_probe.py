"""services.deployer.machines.kvm_probe: which accelerator the measured times speak for, and that the answer is kept."""

import pytest

from services.deployer.machines import kvm_probe


@pytest.mark.parametrize(
    ("kvm_ms", "tcg_ms", "accel"),
    [(None, 60.0, "tcg"), (30.0, 60.0, "kvm"), (121.0, 60.0, "tcg"), (30.0, None, "kvm"), (None, None, "tcg")],
    ids=["kvm_hangs", "kvm_is_faster", "kvm_interprets", "only_kvm_works", "nothing_works"],
)
def test_kvm_is_used_only_where_it_really_runs_a_guest(kvm_ms, tcg_ms, accel):
    probe = kvm_probe.decide("here", kvm_ms, tcg_ms)
    assert probe.accel == accel and probe.reason


def test_the_command_boots_the_image_with_nothing_but_a_serial_port(tmp_path):
    command = kvm_probe.command(tmp_path, "kvm")
    assert command[command.index("-accel") + 1] == "kvm" and "-nodefaults" in command
    assert "-netdev" not in command and "-drive" not in command
