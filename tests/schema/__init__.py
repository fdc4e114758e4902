"""The schema against the statements that use it."""
