"""unibpf.stack.embedded: what is said about a service that does not come up."""

from pathlib import Path

from unibpf.stack.embedded import last_line


def test_the_last_line_of_a_log_is_told(tmp_path: Path) -> None:
    log = tmp_path / "verifier.log"
    assert last_line(log) == f"its log `{log}` is empty"
    log.write_text("first\nerror: there is no analyser\n")
    assert last_line(log) == f"its log `{log}` ends with: error: there is no analyser"
