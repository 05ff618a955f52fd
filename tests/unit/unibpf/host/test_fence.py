"""unibpf.host.fence with real processes: what a child may take, what it may say, and that nothing of it is left."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unibpf.host import fence
from unibpf.host.fence import AnswerTooLongError, Limits

FREE = Limits(memory_bytes=None, wall_seconds=60.0, file_bytes=1 << 20)


def run(folder: Path, script: str, limits: Limits = FREE) -> fence.Ended:
    return fence.run([sys.executable, "-c", script], limits, environment=dict(os.environ), folder=folder)


def test_status_and_what_was_said_come_back(tmp_path: Path) -> None:
    ended = run(tmp_path, "import sys; sys.stderr.write('no'); print(7); sys.exit(3)")
    assert (ended.status, ended.output, ended.said) == (3, b"7\n", b"no")


def test_who_fills_one_pipe_while_the_other_is_read_comes_to_his_end(tmp_path: Path) -> None:
    script = "import sys\nfor pipe in (sys.stdout, sys.stderr) * 2: pipe.write('x' * 300_000); pipe.flush()"
    ended = run(tmp_path, script)
    assert (len(ended.output), len(ended.said)) == (600_000, 600_000)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_who_takes_too_long_is_ended_with_all_that_he_started(tmp_path: Path) -> None:
    script = "import os, time; os.fork() or open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(TimeoutError):
        run(tmp_path, script, Limits(wall_seconds=3.0, memory_bytes=None, file_bytes=4096))
    grandchild = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 20
    while not is_gone(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("pipe", ["stdout", "stderr"])
def test_what_is_said_has_an_end(tmp_path: Path, pipe: str) -> None:
    script = f"import sys\nwhile True: sys.{pipe}.write('x' * 4096)"
    with pytest.raises(AnswerTooLongError, match="more than 100000 bytes"):
        run(tmp_path, script, Limits(answer_bytes=100_000, memory_bytes=None, wall_seconds=60.0))


def test_endless_work_ends_by_its_cpu_time(tmp_path: Path) -> None:
    ended = run(tmp_path, "while True: pass", Limits(cpu_seconds=1, wall_seconds=120.0, memory_bytes=None))
    assert ended.struck


def test_limits_only_ever_go_down() -> None:
    pid = os.fork()
    if pid == 0:
        found = None
        try:
            fence.confine(Limits(cpu_seconds=5, files=8))
            fence.confine(Limits(cpu_seconds=50, files=9, memory_bytes=None, file_bytes=1 << 20))
            names = (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)
            found = [resource.getrlimit(name) for name in names]
        finally:
            os._exit(0 if found == [(5, 6), (8, 8), (0, 0)] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_is_not_there_is_said_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no executable `/nowhere/at-all`"):
        fence.run(["/nowhere/at-all"], FREE, environment={}, folder=tmp_path)


def test_it_begins_in_its_folder_wherever_its_path_and_the_launchers_were_said_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said_from, works_in = tmp_path / "here", tmp_path / "there"
    said_from.mkdir()
    works_in.mkdir()
    program = said_from / "program"
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    (said_from / fence.LAUNCHER).symlink_to(Path(fence._launcher()))
    monkeypatch.chdir(said_from)
    monkeypatch.setenv("UNIBPF_BIN", ".")
    ended = fence.run(["./program"], FREE, environment={"PATH": "/bin"}, folder=works_in)
    assert (ended.status, ended.output.decode().strip(), ended.said) == (0, str(works_in), b"")


def test_a_program_ends_with_who_asked_for_it(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; from pathlib import Path; from unibpf.host import fence\n"
        "limits = fence.Limits(memory_bytes=None)\n"
        "command = fence.enclosed(['/usr/bin/sleep', '600'], limits, fence.Reach.of_tool())\n"
        "print(subprocess.Popen(command).pid, flush=True); sys.stdin.read(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asking:
        assert asking.stdout is not None
        program = int(asking.stdout.readline())
        time.sleep(0.3)
        assert not is_gone(program)
        asking.kill()
    deadline = time.monotonic() + 20
    while not is_gone(program):
        assert time.monotonic() < deadline
        time.sleep(0.05)
