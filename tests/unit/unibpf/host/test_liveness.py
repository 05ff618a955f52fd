"""unibpf.host.liveness: a guest hangs when several questions in a row had no answer."""

from pathlib import Path

from unibpf.host.liveness import HUNG_TRIES, LivenessFile


def ask(file: LivenessFile, *answers: bool, boot_id: str = "1") -> None:
    for number, answered in enumerate(answers, start=1):
        file.note(boot_id, answered=answered, now_us=number)


def test_some_missed_answers_are_no_hang_and_several_are(tmp_path: Path) -> None:
    file = LivenessFile(tmp_path)
    ask(file, True, *[False] * (HUNG_TRIES - 1))
    assert not file.read("1").is_hung
    ask(file, False)
    found = file.read("1")
    assert found.is_hung and found.answered and found.since_us == 2


def test_one_answer_ends_it(tmp_path: Path) -> None:
    file = LivenessFile(tmp_path)
    ask(file, *[False] * HUNG_TRIES, True)
    assert not file.read("1").is_hung and file.read("1").since_us == 0


def test_another_boot_begins_anew(tmp_path: Path) -> None:
    file = LivenessFile(tmp_path)
    ask(file, True, *[False] * HUNG_TRIES)
    assert not file.read("2").is_hung and not file.read("2").answered


def test_answers_that_are_no_news_write_nothing(tmp_path: Path) -> None:
    file = LivenessFile(tmp_path)
    ask(file, True)
    before = (tmp_path / "liveness.json").stat().st_mtime_ns
    ask(file, True, True)
    assert (tmp_path / "liveness.json").stat().st_mtime_ns == before


def test_a_file_that_cannot_be_read_is_nothing_known(tmp_path: Path) -> None:
    (tmp_path / "liveness.json").write_bytes(b"{")
    assert not LivenessFile(tmp_path).read("1").is_hung
