"""services.verifier.settings: what is wrong in the environment is named."""

import pytest

from services.verifier.settings import Settings
from unibpf.host.settings import SettingError

NUMBERS = ("UNIBPF_VERIFIER_WORKERS", "UNIBPF_VERIFIER_SECONDS", "UNIBPF_VERIFIER_MEMORY_MIB")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["", "0", "-1", "2.5", "many", "٣"])
def test_a_bad_number_is_refused_by_the_name_of_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"`{name}`: got `{value}`"):
        Settings.from_environment({"UNIBPF_STATE": "/s", name: value})


def test_numbers_are_read_and_have_defaults() -> None:
    own = dict(zip(NUMBERS, ("3", "7", "99"), strict=True))
    read = [Settings.from_environment({"UNIBPF_STATE": "/s"} | more) for more in ({}, own)]
    assert [(one.workers, one.seconds, one.memory_mib) for one in read] == [(2, 5, 1024), (3, 7, 99)]
