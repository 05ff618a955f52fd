"""What is pushed: compiled, with what a loader would set, as an upload."""
