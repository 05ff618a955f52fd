"""The four services, each a process of its own; none imports another."""
