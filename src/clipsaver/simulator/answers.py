"""What REST handlers share: answers, refusals, and what may be read out of a request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn

import orjson
from aiohttp import web

from clipsaver.simulator.entities import Channel, Guild
from clipsaver.simulator.interactions.forms import Form, Refused
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World

USER: Final = web.RequestKey("user", int)
"""The user whose token a request carries."""
LARGEST: Final = (1 << 63) - 1


def answer(body: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def nothing() -> web.Response:
    """An answer without a body."""
    return web.Response(status=204)


def refusal(refused: Refused) -> web.Response:
    """Discord's error body."""
    return answer(refused.body(), refused.status)


def refuse(status: int, code: int, message: str) -> NoReturn:
    """Answer with an error."""
    raise Refused(status, code, message)


def path_id(request: web.Request, name: str) -> int:
    """A snowflake in the path."""
    return _snowflake(request.match_info[name], name)


def query_id(request: web.Request, name: str) -> int | None:
    """A snowflake in the query, if it is there."""
    text = request.query.get(name)
    return None if text is None else _snowflake(text, name)


def query_number(request: web.Request, name: str, *, default: int, least: int, most: int) -> int:
    """A number in the query, within its bounds."""
    text = request.query.get(name)
    if text is None:
        return default
    form = Form()
    value: Any = int(text) if text.lstrip("-").isdecimal() else text
    number = form.integer((name,), value, least=least, most=most)
    form.check()
    return default if number is None else number


def query_flag(request: web.Request, name: str) -> bool:
    """A boolean in the query: ``true``, ``1`` or ``True``."""
    return request.query.get(name, "").lower() in {"true", "1"}


def query_moment(request: web.Request, name: str) -> datetime | None:
    """An ISO 8601 moment in the query, if it is there."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        form = Form()
        form.add((name,), "DATE_TIME_TYPE_PARSE", f'Could not parse "{text}". Should be ISO8601.')
        form.check()
    return moment


def exclusive(query: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Refuse a query that gives several of what excludes one another."""
    given = [name for name in names if name in query]
    if len(given) > 1:
        form = Form()
        for name in given:
            form.add((name,), "MUTUALLY_EXCLUSIVE", f"{', '.join(names)} are mutually exclusive.")
        form.check()


def guild_of(world: World, guild_id: int) -> Guild:
    """A guild the bot is in."""
    guild = world.guilds.get(guild_id)
    if guild is None:
        refuse(404, 10004, "Unknown Guild")
    if guild.unavailable:
        refuse(503, 0, "503: Service Unavailable")
    return guild


def channel_of(world: World, request: web.Request, *, connect: bool = True) -> Channel:
    """The path's channel, if the one who asks may see it."""
    channel_id = path_id(request, "channel_id")
    if channel_id in world.foreign:
        refuse(403, 50001, "Missing Access")
    channel = world.channels.get(channel_id)
    if channel is None:
        refuse(404, 10003, "Unknown Channel")
    if channel.guild_id is not None:
        guild_of(world, channel.guild_id)
    allowed = world.permissions(request[USER], channel_id)
    if not allowed & Permission.VIEW_CHANNEL:
        refuse(403, 50001, "Missing Access")
    if connect and not world.can_connect(request[USER], channel_id):
        refuse(403, 50001, "Missing Access")
    return channel


def _snowflake(text: str, name: str) -> int:
    if text.isdecimal() and text.isascii() and int(text) <= LARGEST:
        return int(text)
    form = Form()
    form.add((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
    form.check()
    raise AssertionError  # pragma: no cover - the check above always refuses
