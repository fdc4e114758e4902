"""Who sees which channel."""
