"""A clip's bytes and what is made of them: fetching them and storing them; knows nothing of clips."""
