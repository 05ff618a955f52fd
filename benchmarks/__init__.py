"""Every performance figure of UniBPF; `make bench` runs them all."""
