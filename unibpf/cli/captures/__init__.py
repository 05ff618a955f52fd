"""Captured packets, read from files."""
