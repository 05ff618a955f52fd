"""New functions: names, and folders that are there or cannot be made. That one works: tests/integration/command_line."""

from pathlib import Path

import pytest

from unibpf.vnf.scaffold import ScaffoldError, make


def test_a_new_function_has_the_files_of_all(tmp_path: Path) -> None:
    made = make("mine", tmp_path)
    assert {path.name for path in made} == {"README.md", "program.c", "graph.click", "guest.toml", "test_mine.py"}
    assert not [path for path in made if "NAME" in path.read_text()]


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(ScaffoldError, match="is there already"):
        make("mine", tmp_path)
    assert not any((tmp_path / "mine").iterdir())
    with pytest.raises(ScaffoldError, match="cannot be written"):
        make("mine", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "9lives", "../up", "Mine", "int", "a" * 25, "a-b", "layers", "mine\n"])
def test_a_name_that_c_cannot_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="cannot be its name"):
        make(name, tmp_path)
    assert not any(tmp_path.iterdir())
