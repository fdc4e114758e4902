"""What a channel remembers of its reading."""
