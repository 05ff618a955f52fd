"""What the signer does beside pushes: lists of what is current, and objects that must not be forgotten."""
