"""The catalogue of network functions, and what fills their maps."""
