"""What a person reads when something did not work."""

import secrets
from collections.abc import Sequence

from clipsaver.discord.components import Reply
from clipsaver.errors import ClipsaverError
from clipsaver.words.language import say
from clipsaver.words.text import MESSAGE_LENGTH, cut, enumerated


def reference() -> str:
    """Return a short name for one failure, the same in the answer and in the log."""
    return secrets.token_hex(4)


def expected(error: BaseException) -> str | None:
    """Return the sentence of an error that explains itself; None for one that nobody expected."""
    return error.message if isinstance(error, ClipsaverError) else None


def failed(sentence: str) -> Reply:
    """Say what did not work; whatever buttons there were are gone."""
    return Reply(content=cut(sentence, MESSAGE_LENGTH))


def went_wrong(reference: str) -> Reply:
    """Say that something unforeseen happened, and what to tell the operator."""
    return Reply(
        content=say(
            "Something went wrong. If it keeps happening, tell whoever runs this bot the reference `{reference}`.",
            reference=reference,
        )
    )


def old_button() -> Reply:
    """Say that a button belongs to something that is over."""
    return Reply(content=say("This button doesn't do anything any more. Please use the command again."))


def not_your_button() -> str:
    """Say that a button waits for someone else."""
    return say("Only whoever was asked can answer this.")


def not_an_option(name: str) -> str:
    """Say that an option's value could not be used."""
    return say("I can't use what was given for `{name}`.", name=name)


def not_for_you() -> str:
    """Say that a command is for others."""
    return say("You may not use that.")


def you_lack(permissions: Sequence[str]) -> str:
    """Say which permissions the person would need."""
    return say("You need {permissions} to do that.", permissions=enumerated(permissions))


def i_lack(permissions: Sequence[str]) -> str:
    """Say which permissions the bot would need."""
    return say("I need {permissions} to do that.", permissions=enumerated(permissions))
