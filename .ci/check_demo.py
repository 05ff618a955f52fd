"""Fails when `build/demo.json` does not show what the demo promises."""

import json
import sys
from pathlib import Path


def faults(demo: dict) -> list[str]:
    """What is wrong with the demo's result, one sentence each."""
    update = demo["update"]
    checks = {
        "packets were lost during the update": update["packets_lost"] == 0,
        "hardly any packets were sent": update["packets_sent"] >= 20_000,
        "map entries were lost": 0 < update["map_entries_before"] == update["map_entries_kept"],
        "not all of the three bad updates were refused": {row["by"] for row in demo["refused"]} == {"verifier", "guest"}
        and len(demo["refused"]) >= 3,
        "the trace misses a service": {"verifier", "signer", "reconfigurer"}
        <= {span["service"] for span in demo["trace"]["spans"]},
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def main() -> int:
    """Exit 1 and print each fault."""
    found = faults(json.loads(Path(sys.argv[1]).read_text()))
    for sentence in found:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
