"""What a program does with the pipeline: push, guests, maps, traces."""
