"""Clips: finding them, and keeping a page."""
