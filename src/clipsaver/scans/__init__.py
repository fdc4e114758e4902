"""Scans: reading a channel's history until nothing in its range is left unread."""
