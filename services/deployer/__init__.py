"""The deployer: keeps the guests that run on a host equal to the guests that are desired."""
