"""Guilds (Discord's word for servers): what is known of them, their settings, and who changed what."""
