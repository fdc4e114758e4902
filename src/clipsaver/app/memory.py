"""How Python's garbage collector is set for a program that reads a lot and keeps little."""

import gc
from typing import Final

THRESHOLDS: Final = (50_000, 20, 50)
"""Objects made until the young are looked through, and how often that is before the older ones are."""


def collect_seldom() -> None:
    """Leave all that was imported out of every collection, and let those come seldom.

    Pages are full of objects and have no cycles: they go as soon as nobody holds them, and whoever looks for cycles
    among them looks in vain, a quarter of the time that reading takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
