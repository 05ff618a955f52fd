"""What `unibpf run` begins with: packets of capture files, entries of maps."""
