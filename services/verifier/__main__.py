"""Wiring: `python -m services.verifier` runs the service; with `verify FILE` it verifies an object, with `bundle FILE` it
translates one.

These two print a report as JSON or a bundle and need no bus; their exit codes are those of `unibpf verify`
(docs/exit-codes.md). They import nothing of the service, so that they answer at once.
"""

import sys

from unibpf.text import guard_streams

guard_streams()

if sys.argv[1:2] == ["verify"]:
    from services.verifier.commands.verify import main
elif sys.argv[1:2] == ["bundle"]:
    from services.verifier.commands.bundle import main
else:
    from services.verifier.daemon import main

sys.exit(main(sys.argv[1:]))
