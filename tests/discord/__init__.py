"""Tests of the ways to Discord."""
