"""Looking at videos, seen from the bot: what a child process may do, and what is made of its answer."""
