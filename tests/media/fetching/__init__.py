"""Tests of `clipsaver.media.fetching`."""
