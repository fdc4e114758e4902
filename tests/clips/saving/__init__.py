"""Saving clips, against real PostgreSQL, a real storage, and Discord's CDN on loopback."""
