"""What the verifier does when called from the command line."""
