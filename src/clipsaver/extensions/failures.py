"""Errors of commands become words, with a reference that is also in the log."""

import hikari
import lightbulb
import structlog

from clipsaver.discord.components import Reply
from clipsaver.discord.interactions import InteractionLost, Talk
from clipsaver.discord.permissions import NONE, Permission, missing
from clipsaver.words import failures as words

log = structlog.get_logger("clipsaver.extensions.failures")
loader = lightbulb.Loader()


@loader.error_handler
async def failed(error: lightbulb.exceptions.ExecutionPipelineFailedException) -> bool:
    """Answer a command that failed, wherever its answer stands."""
    command = error.context.command_data.qualified_name
    cause = error.causes[0] if error.causes else error
    if isinstance(cause, InteractionLost):
        log.info("interaction.lost", command=command)
        return True
    await _tell(Talk.of(error.context), _explain(cause, command), command)
    return True


async def _tell(talk: Talk, reply: Reply, command: str) -> None:
    try:
        await talk.answer(reply)
    except InteractionLost:
        log.info("interaction.lost", command=command)
    except (hikari.HikariError, OSError):
        log.warning("interaction.unanswered", command=command, exc_info=True)


def _explain(cause: BaseException, command: str) -> Reply:
    """Return what to say; what nobody expected is logged under the reference that is shown."""
    sentence = words.expected(cause) or _known(cause)
    if sentence is not None:
        log.info("command.refused", command=command, reason=type(cause).__name__)
        return words.failed(sentence)
    reference = words.reference()
    log.error("command.failed", reference=reference, command=command, exc_info=cause)
    return words.went_wrong(reference)


def _known(cause: BaseException) -> str | None:
    """Return a sentence for what lightbulb itself refuses; None for everything else."""
    match cause:
        case lightbulb.prefab.MissingRequiredPermission():
            return words.you_lack(missing(NONE, Permission(int(cause.missing))))
        case lightbulb.prefab.BotMissingRequiredPermissions():
            return words.i_lack(missing(NONE, Permission(int(cause.missing))))
        case lightbulb.prefab.MissingRequiredRoles() | lightbulb.prefab.NotOwner():
            return words.not_for_you()
        case lightbulb.exceptions.ConversionFailedException():
            return words.not_an_option(cause.option.name)
        case _:
            return None
