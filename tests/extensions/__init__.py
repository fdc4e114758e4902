"""Discord's doors."""
