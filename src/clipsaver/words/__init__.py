"""What people read: sentences, components and tables as plain data."""

from clipsaver.words.text import escape

__all__ = ["escape"]
