"""The bot's side of looking at a video: a child process for each file, and what may be believed of its answer."""
