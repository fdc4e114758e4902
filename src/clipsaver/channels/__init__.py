"""Channels: what is known of them, which are read, who may see them, and what of them has been read."""
