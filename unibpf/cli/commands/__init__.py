"""One module a group of commands: their options and arguments."""
