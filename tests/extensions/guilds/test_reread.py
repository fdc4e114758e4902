"""Reading a guild again over REST."""

import pytest

from clipsaver.discord.breaker import READING_STOPS
from clipsaver.discord.rest import Rest, Unavailable
from clipsaver.extensions.guilds import reread
from clipsaver.extensions.guilds.reread import GuildReader
from tests.discord.servers import say, serve


async def test_events_do_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing may be read for minutes, it gives up soon, and may be tried again."""
    monkeypatch.setattr(reread, "PATIENCE", 0.05)
    async with serve(say({})) as server, Rest(token="t", url=server.url) as rest:
        for _ in range(READING_STOPS):
            rest.breaker.refused()
        with pytest.raises(Unavailable) as caught:
            await GuildReader(rest=rest)(1)
    assert not caught.value.permanent
    assert server.asked == []
