"""Tests of clipsaver.people."""
