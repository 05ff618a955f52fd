"""What the verifier found, for people and for other tools."""
