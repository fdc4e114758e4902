"""Coverage: which message ids of a channel have been read, and under which rules."""
