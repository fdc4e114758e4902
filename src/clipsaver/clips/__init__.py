"""Clips: which messages hold one, and how a page of messages is kept."""
