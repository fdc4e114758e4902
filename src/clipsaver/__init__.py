"""clipsaver finds every video clip in a Discord server's channels and saves it for good."""
