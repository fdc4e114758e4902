"""Tests of clips as plain files."""
