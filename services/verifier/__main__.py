"""Wiring: `python -m services.verifier` runs the service, `python -m services.verifier verify FILE` verifies one object.

The second form prints the report as JSON and needs no bus; its exit codes are those of `unibpf verify` (docs/exit-codes.md).
It imports nothing of the service, so that it answers at once.
"""

import sys

if sys.argv[1:2] == ["verify"]:
    from services.verifier.once import main
else:
    from services.verifier.daemon import main

sys.exit(main(sys.argv[1:]))
