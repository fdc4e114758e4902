"""The demo: a Discord of our own, the program as an operator runs it, and a moderator who scans every channel."""

from clipsaver.app.demo.play import demo

__all__ = ["demo"]
