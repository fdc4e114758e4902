"""A Discord on loopback: built from Discord's documents, for the demo and the tests."""
