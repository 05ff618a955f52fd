"""unibpf.bus.own_server: keys and the configuration of an operator's own server."""

from pathlib import Path

import pytest

from unibpf.bus.own_server import BusFileError, make_keys, server_configuration
from unibpf.bus.permissions import OPERATOR, permissions
from unibpf.bus.topology import total_bytes
from unibpf.host.identity import IdentityError
from unibpf.subjects import CLI, SERVICES

STORE = Path("/jetstream")


def test_everybody_with_a_public_key_is_a_user_with_the_permissions_of_his_role(tmp_path: Path) -> None:
    made = make_keys(tmp_path, ["ci"])
    config = server_configuration(tmp_path, listen="0.0.0.0:4222", store=STORE, monitor=None)
    assert set(made) == {OPERATOR, *SERVICES, CLI, "ci"}
    users = {user["nkey"]: user["permissions"] for one in config["accounts"].values() for user in one["users"]}
    assert users == {key: permissions(name) for name, key in made.items()}


def test_each_host_has_keys_of_its_own_and_none_is_shared(tmp_path: Path) -> None:
    made = make_keys(tmp_path, [], ["a", "b"])
    of_hosts = {"deployer-a", "deployer-b", "reconfigurer-a", "reconfigurer-b"}
    assert set(made) == {OPERATOR, "verifier", "signer", *of_hosts, CLI}
    config = server_configuration(tmp_path, listen="0.0.0.0:4222", store=STORE, monitor=None)
    assert {"HOST-a", "HOST-b"} <= set(config["accounts"])


def test_a_pusher_cannot_have_the_name_of_a_service(tmp_path: Path) -> None:
    for name in ("deployer-a", "signer", OPERATOR):
        with pytest.raises(IdentityError, match="a pusher needs another"):
            make_keys(tmp_path, [name])


def test_the_server_listens_and_stores_where_it_is_told_and_has_room_for_all_streams(tmp_path: Path) -> None:
    make_keys(tmp_path, [])
    config = server_configuration(tmp_path, listen="0.0.0.0:4333", store=STORE, monitor="127.0.0.1:8222")
    assert (config["host"], config["port"], config["http"]) == ("0.0.0.0", 4333, "127.0.0.1:8222")
    assert config["jetstream"]["store_dir"] == "/jetstream"
    assert config["jetstream"]["max_file_store"] == total_bytes()


@pytest.mark.parametrize("listen", ["4222", ":4222", "host:", "host:port", "host:70000"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, listen: str) -> None:
    make_keys(tmp_path, [])
    with pytest.raises(BusFileError, match="expected an address and a port"):
        server_configuration(tmp_path, listen=listen, store=STORE, monitor=None)
