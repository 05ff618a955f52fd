"""What becomes of a release once it is active: it settles (settling.py), or the guest goes back to another (going_back.py)."""
