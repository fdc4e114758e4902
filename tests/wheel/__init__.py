"""The built wheel, by itself."""
