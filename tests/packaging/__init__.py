"""What a stranger meets first: the README, the pins, the container."""
