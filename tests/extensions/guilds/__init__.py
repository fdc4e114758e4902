"""Tests of the gateway's events about guilds."""
