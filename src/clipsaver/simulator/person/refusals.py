"""What a person at the client can be told instead of getting their way."""


class PersonRefused(Exception):
    """Discord's client doesn't let this person do that; the sentence says why."""


class NoAnswer(Exception):
    """The application didn't answer in time."""
