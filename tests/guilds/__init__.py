"""Tests of clipsaver.guilds."""
