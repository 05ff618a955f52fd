"""What is asked of a running guest for people: its status, a handler of an element."""
