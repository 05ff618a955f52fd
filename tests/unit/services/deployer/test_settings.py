"""services.deployer.settings: sockets get a path that fits, and nobody else's folder is used."""

import pytest

from services.deployer.machines.hypervisor import UNIX_PATH_BYTES
from services.deployer.settings import Settings
from unibpf.host.settings import SettingError


def settings(state, **environment):
    return Settings.from_environment({"UNIBPF_STATE": str(state)} | environment)


def test_sockets_live_in_the_state_directory_where_its_path_is_short():
    assert settings("/s").sockets.parts[:3] == ("/", "s", "run")


def test_a_long_state_directory_gets_a_short_runtime_of_its_own(tmp_path):
    (tmp_path / ("s" * 90) / "run").mkdir(parents=True)
    long = settings(tmp_path / ("s" * 90))
    longest = f"{long.libvirt_root}/lib/qemu/domain-99999-{'x' * 20}/monitor.sock"
    assert len(longest.encode()) <= UNIX_PATH_BYTES
    assert long.sockets.parent == long.runtime
    long.runtime.rmdir()


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_time_must_be_a_number_above_zero(value):
    with pytest.raises(SettingError, match="UNIBPF_TICK"):
        settings("/s", UNIBPF_TICK=value)


def test_an_unknown_accelerator_is_refused():
    with pytest.raises(SettingError, match="UNIBPF_ACCEL"):
        settings("/s", UNIBPF_ACCEL="warp")
