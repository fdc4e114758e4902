"""Fixtures for every test: a real PostgreSQL, and a Discord on loopback."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures.database", "tests.fixtures.discord"]

# How long an example takes says more about the machine than about us.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
