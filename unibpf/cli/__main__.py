"""`python -m unibpf.cli` is `unibpf`."""

from unibpf.cli.main import main

main()
