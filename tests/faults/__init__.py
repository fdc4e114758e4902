"""Faults to order: of processes, of PostgreSQL, of the clock. Nothing of it is in the program."""
