"""The bench's own arithmetic, and the Discord it measures against."""
