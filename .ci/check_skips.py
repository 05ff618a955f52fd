"""Fails when a test was skipped for a reason that is not allowed here: a skipped check must never report success."""

import sys
from pathlib import Path
from xml.etree import ElementTree


def skips(report: Path) -> list[tuple[str, str]]:
    """[(test, reason)] of a JUnit report."""
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it
    return [
        (f"{case.get('classname')}::{case.get('name')}", skipped.get("message") or "")
        for case in cases
        for skipped in case.iter("skipped")
    ]


def main() -> int:
    """Exit 1 and name each test that was skipped without leave."""
    allowed_file, reports = Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
    allowed = [line.strip() for line in allowed_file.read_text().splitlines() if line.strip() and line[0] != "#"]
    forbidden = [
        (test, why) for report in reports for test, why in skips(report) if not any(text in why for text in allowed)
    ]
    for test, why in forbidden:
        print(f"error: `{test}` was skipped: {why}", file=sys.stderr)
    if not reports:
        print("error: there is no report of a test run", file=sys.stderr)
    return 1 if forbidden or not reports else 0


if __name__ == "__main__":
    sys.exit(main())
