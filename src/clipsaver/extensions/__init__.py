"""Discord's doors: slash commands, buttons, progress messages, gateway events."""
