"""Tests of what is done with files."""
