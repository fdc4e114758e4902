"""The simulator's interactions: commands, their invocations and the answers to them."""
