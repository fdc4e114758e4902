"""The tests of clipsaver.clips.storehouse."""
