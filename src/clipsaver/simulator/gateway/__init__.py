"""The simulator's gateway: version 10, JSON, sharded, resumable, intents enforced."""

from clipsaver.simulator.gateway.gateway import Gateway

__all__ = ["Gateway"]
