"""Tests of clipsaver.channels."""
