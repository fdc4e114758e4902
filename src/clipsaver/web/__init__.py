"""The HTTP server: whether the program lives, whether it is ready, and what it has done."""
