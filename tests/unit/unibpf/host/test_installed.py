"""unibpf.host.installed: what a wheel lacks is named, with the way to get it."""

from pathlib import Path

import pytest

from unibpf.host import installed
from unibpf.host.installed import NotInstalled, require_modules, require_native


def test_an_executable_that_is_there_is_found(tmp_path: Path) -> None:
    tool = tmp_path / "unibpf-analyse"
    tool.touch(mode=0o755)
    assert require_native({"UNIBPF_BIN": str(tmp_path)}, installed.ANALYSER) == tmp_path


def test_one_that_is_not_is_named_with_what_to_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotInstalled, match=r"no analyser at .*: the native part is not built") as missing:
        require_native({"UNIBPF_BIN": str(tmp_path)}, installed.ANALYSER)
    assert "make build" in missing.value.hint
    monkeypatch.setattr(installed, "REPOSITORY", tmp_path)  # a wheel lies in no repository
    monkeypatch.setattr("unibpf.host.settings.REPOSITORY", tmp_path)
    with pytest.raises(NotInstalled) as missing:
        require_native({}, installed.ANALYSER)
    assert "UNIBPF_BIN=" in missing.value.hint and "clone" in missing.value.hint


def test_a_module_that_is_not_there_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_modules("pkcs11")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NotInstalled) as missing:
        require_modules("pkcs11")
    assert "unibpf[signer]" in missing.value.hint
