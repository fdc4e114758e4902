"""Fixtures for every test: a real PostgreSQL, and a Discord on loopback."""

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.discord"]
