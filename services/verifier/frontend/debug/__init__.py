"""Debug information of an object (BTF): its types, what they look like, which lines they name, what a kernel would relocate."""
