"""Saving clips' bytes for good: each clip is a row whose columns say what is left to do, and why it is not done."""
