"""The embedded default: NATS server, token and the four services on one machine, each its own process (design 10)."""
