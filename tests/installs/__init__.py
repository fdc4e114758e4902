"""Tests of clipsaver.installs."""
