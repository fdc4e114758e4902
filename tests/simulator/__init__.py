"""The simulator, judged by Discord's documents alone."""
