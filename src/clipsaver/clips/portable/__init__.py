"""Clips as plain files that need no clipsaver: written out, and taken back."""
