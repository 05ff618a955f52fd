"""unibpf.host.settings: where things are."""

from pathlib import Path

import pytest

from unibpf.host import settings
from unibpf.host.settings import DEFAULT_NATS_URL, StatePaths, host_name, nats_url


def test_the_state_directory_follows_the_environment() -> None:
    assert StatePaths.from_environment({"UNIBPF_STATE": "/x"}).root == Path("/x")
    assert StatePaths.from_environment({"HOME": "/home/a"}).root == Path("/home/a/.local/state/unibpf")
    assert StatePaths.from_environment({"HOME": "/h", "XDG_STATE_HOME": "/s"}).root == Path("/s/unibpf")


def test_every_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    paths = StatePaths(root=tmp_path / "state")
    paths.create()
    paths.create()
    modes = {folder.stat().st_mode & 0o777 for folder in (paths.root, paths.keys, paths.hsm, paths.host, paths.guests)}
    assert modes == {0o700}


def test_the_bus_address_is_the_environments_then_the_embedded_servers_then_the_default(tmp_path: Path) -> None:
    paths = StatePaths(root=tmp_path)
    assert nats_url({}, paths) == DEFAULT_NATS_URL
    paths.create()
    paths.nats_url_file.write_text("nats://127.0.0.1:1234\n")
    assert nats_url({}, paths) == "nats://127.0.0.1:1234"
    assert nats_url({"UNIBPF_NATS_URL": "nats://a,nats://b"}, paths) == "nats://a,nats://b"


def test_a_host_without_a_name_is_local() -> None:
    assert host_name({}) == "local"
    assert host_name({"UNIBPF_HOST": "node-7"}) == "node-7"


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf", ""])
def test_a_duration_is_a_number_above_zero(text: str) -> None:
    with pytest.raises(settings.SettingError, match="UNIBPF_TICK"):
        settings.seconds({"UNIBPF_TICK": text}, "UNIBPF_TICK", 5.0)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "", "9" * 10])
def test_a_count_is_a_whole_number_above_zero(text: str) -> None:
    with pytest.raises(settings.SettingError, match="UNIBPF_SIGNER_WORKERS"):
        settings.count({"UNIBPF_SIGNER_WORKERS": text}, "UNIBPF_SIGNER_WORKERS", 4)


def test_what_is_not_set_has_its_default() -> None:
    assert settings.seconds({}, "UNIBPF_TICK", 5.0) == 5.0
    assert settings.count({}, "UNIBPF_SIGNER_WORKERS", 4) == 4
    assert settings.count({"UNIBPF_SIGNER_WORKERS": "7"}, "UNIBPF_SIGNER_WORKERS", 4) == 7
