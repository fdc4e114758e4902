"""Facts and pictures of stored videos: each blob has a row that says what is left to do, and why it is not done."""
