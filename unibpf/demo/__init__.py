"""The demo's steps, traffic and attacks: they measure and raise; unibpf.cli.demo tells it."""
