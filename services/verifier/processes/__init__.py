"""The limited child processes in which foreign bytes are read and programs analysed."""
