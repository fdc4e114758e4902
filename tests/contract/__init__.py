"""What was said to the simulated Discord, and what it answered, against Discord's own description of its API."""
