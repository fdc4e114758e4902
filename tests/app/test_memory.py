"""The garbage collector's settings."""

import subprocess
import sys


def test_what_is_imported_is_never_looked_through() -> None:
    """In a process of its own, since it is for good."""
    code = (
        "import gc\nfrom clipsaver.app.memory import THRESHOLDS, collect_seldom\n"
        "collect_seldom()\nassert gc.get_threshold() == THRESHOLDS\nassert gc.get_freeze_count() > 1000\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
