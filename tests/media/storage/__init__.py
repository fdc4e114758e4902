"""Tests of where bytes lie."""
