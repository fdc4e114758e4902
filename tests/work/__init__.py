"""Tests of how work is found and held."""
