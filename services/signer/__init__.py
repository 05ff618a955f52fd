"""The signer: turns a verdict into a signature made inside an HSM (see README.md)."""
