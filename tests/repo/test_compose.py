"""compose.yaml and the Dockerfiles against the code: every path, module, variable, key and volume that they name is real.

There is no container engine in the tests; tests/integration/bus/test_own_server.py runs what `setup` and `init` run.
"""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from unibpf.bus.permissions import OPERATOR
from unibpf.subjects import CLI, SERVICES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted(ROOT.glob("services/*/Dockerfile"))
CONTEXT = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}


def known_variables() -> set[str]:
    """What some settings module reads, by its literal name."""
    sources = [ROOT / "unibpf/host/settings.py", *ROOT.glob("services/*/settings.py")]
    return {name for path in sources for name in re.findall(r'"(UNIBPF_[A-Z0-9_]+)"', path.read_text())}


def mounts(container: str) -> dict[str, str]:
    """{path inside: volume or path outside}."""
    pairs = [mount.split(":")[:2] for mount in CONTAINERS[container].get("volumes", [])]
    return {inside: outside for outside, inside in pairs}


def state(container: str) -> str:
    return str(CONTAINERS[container]["environment"]["UNIBPF_STATE"])


def named_volumes(container: str) -> set[str]:
    return {outside for outside in mounts(container).values() if not outside.startswith("/")}


def containers_with(volume: str) -> set[str]:
    return {name for name in CONTAINERS if volume in named_volumes(name)}


def stages(dockerfile: Path) -> list[str]:
    text = dockerfile.read_text().replace("\\\n", " ")
    return re.split(r"^(?=FROM )", text, flags=re.MULTILINE)[1:]


def test_there_is_a_container_for_the_server_and_for_each_service() -> None:
    assert {"nats", *SERVICES} <= set(CONTAINERS)


@pytest.mark.parametrize("container", sorted(CONTAINERS))
def test_an_image_is_built_here_or_is_the_servers(container: str) -> None:
    service = CONTAINERS[container]
    built = {CONTAINERS[name].get("image"): name for name in CONTAINERS if "build" in CONTAINERS[name]}
    if "build" in service:
        assert (ROOT / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["build"]["dockerfile"] == f"services/{container}/Dockerfile"
    else:
        assert service["image"] in built or service["image"].startswith("nats:")


@pytest.mark.parametrize("container", sorted(CONTAINERS))
def test_every_variable_is_one_that_a_settings_module_reads(container: str) -> None:
    given = {name for name in CONTAINERS[container].get("environment", {}) if name.startswith("UNIBPF_")}
    assert given <= known_variables()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_variable_of_a_dockerfile_is_read(dockerfile: Path) -> None:
    assert set(re.findall(r"^ENV (\w+)", dockerfile.read_text(), re.MULTILINE)) <= known_variables()


def test_every_volume_is_declared_and_used() -> None:
    assert set(COMPOSE["volumes"]) == set().union(*(named_volumes(name) for name in CONTAINERS))


@pytest.mark.parametrize("name", [*SERVICES, CLI])
def test_a_service_has_its_own_key_and_nobody_elses(name: str) -> None:
    assert mounts(name)[f"{state(name)}/keys"] == f"{name}-keys"
    assert {volume for volume in named_volumes(name) if volume.endswith("-keys")} == {f"{name}-keys"}
    assert mounts("setup")[f"/export/{name}"] == f"{name}-keys"


def test_the_operators_keys_are_in_the_one_shot_containers_only() -> None:
    assert containers_with(f"{OPERATOR}-keys") == {"setup", "init"}
    assert {name for name in CONTAINERS if "profiles" in CONTAINERS[name]} >= {"setup", "init"}


def test_the_token_is_the_signers_and_the_pinned_keys_are_the_hosts() -> None:
    assert containers_with("hsm") == {"signer", "setup"}
    assert mounts("signer")[f"{state('signer')}/hsm"] == "hsm" == mounts("setup")[f"{state('setup')}/hsm"]
    assert containers_with("trusted-signers") == {"deployer", "reconfigurer", "setup"}
    for name in ("deployer", "reconfigurer"):  # who reads signed lists of what is current as well
        assert mounts(name)[f"{state(name)}/hsm"] == "trusted-signers"


def test_deployer_and_reconfigurer_share_the_hosts_directory_at_the_path_that_the_hosts_qemu_sees() -> None:
    for name in ("deployer", "reconfigurer"):
        assert mounts(name)[state(name)] == state(name)
        assert CONTAINERS[name]["network_mode"] == "host"
    image = CONTAINERS["deployer"]["environment"]["UNIBPF_GUEST_IMAGE"]
    assert image.startswith(state("deployer") + "/")
    assert image in CONTAINERS["setup-host"]["command"][0]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_that_it_does_not_use(name: str) -> None:
    service = CONTAINERS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert (ROOT / f"services/{name}/Dockerfile").read_text().split("USER ")[1].split()[0] == "10001"


def test_the_server_runs_on_what_setup_writes_and_its_health_is_asked_where_it_answers() -> None:
    script = CONTAINERS["setup"]["command"][0]
    words = shlex.split(re.search(r"unibpf bus config (.*)", script)[1])  # type: ignore[index]
    options = dict(zip(words[::2], words[1::2], strict=True))
    config = CONTAINERS["nats"]["command"][-1]
    assert Path(options["--output"]).name == Path(config).name
    assert mounts("setup")[str(Path(options["--output"]).parent)] == mounts("nats")[str(Path(config).parent)]
    assert mounts("nats")[options["--store"]] == "jetstream"
    assert f"http://{options['--monitor']}/healthz" in CONTAINERS["nats"]["healthcheck"]["test"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_what_a_dockerfile_copies_exists_and_is_in_the_context(dockerfile: Path) -> None:
    for stage in stages(dockerfile):
        for line in re.findall(r"^COPY (?!--from)(.*)$", stage, re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in CONTEXT, source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_dockerfile_runs_its_service_with_its_extra(dockerfile: Path) -> None:
    name, last = dockerfile.parent.name, stages(dockerfile)[-1]
    (module,) = re.findall(r'^ENTRYPOINT \["python", "-m", "([\w.]+)"\]$', last, re.MULTILINE)
    assert module == f"services.{name}"
    assert importlib.util.find_spec(f"{module}.__main__") is not None
    assert f'".[{name}]"' in last
    names = re.findall(r"AS (\w+)", dockerfile.read_text())
    assert set(re.findall(r"--from=(\w+)", last)) == set(names)


def test_what_the_header_tells_to_run_is_there() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"^#   docker compose run --rm ([\w-]+)", text, re.MULTILINE)) == {
        name for name in CONTAINERS if "profiles" in CONTAINERS[name]
    }
