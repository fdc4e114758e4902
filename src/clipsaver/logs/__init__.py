"""One pipeline for everything that is logged, ours and the libraries': one JSON object a line, and no secret in it."""

from clipsaver.logs.crashes import catch_crashes, on_loop_error, reference
from clipsaver.logs.pipeline import configure

__all__ = ["catch_crashes", "configure", "on_loop_error", "reference"]
