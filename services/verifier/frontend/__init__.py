"""From an ELF object to a bundle."""
