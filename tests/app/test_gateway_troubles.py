"""What ends a session, and what of it is final."""

import hikari
import pytest

from clipsaver.app.gateway_troubles import DOCUMENTED, FINAL, Trouble, judge
from clipsaver.errors import StartFailed


def closed(code: int | None) -> hikari.GatewayServerClosedConnectionError:
    """What hikari makes of a close code."""
    return hikari.GatewayServerClosedConnectionError("reason", code)


def test_every_documented_code_is_one_or_the_other() -> None:
    """Discord: Gateway Close Event Codes; 4006 is not documented any more."""
    assert sorted(DOCUMENTED | FINAL.keys()) == [n for n in range(4000, 4015) if n != 4006]
    assert not DOCUMENTED & FINAL.keys()


@pytest.mark.parametrize("code", sorted(FINAL))
def test_final_codes_say_what_to_do(code: int) -> None:
    """One sentence, with the code as far as it is of use."""
    with pytest.raises(StartFailed) as failed:
        judge(closed(code))
    said = str(failed.value)
    assert said.endswith(".")
    assert code == 4004 or str(code) in said
    assert any(
        what in said for what in ("developer portal", "start it again", "start the bot again", "newer clipsaver")
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        *((closed(code), f"closed_{code}") for code in sorted(DOCUMENTED)),
        (closed(4006), "closed"),
        (closed(4999), "closed"),
        (closed(None), "closed"),
        (Trouble("unstable"), "unstable"),
        (hikari.HTTPError("no answer"), "unreachable"),
        (hikari.GatewayConnectionError("no answer"), "unreachable"),
        (RuntimeError("something"), "broken"),
        (KeyError("session_id"), "broken"),
    ],
    ids=repr,
)
def test_the_rest_passes(error: Exception, reason: str) -> None:
    """A new session may be begun, and the figures know few words."""
    assert judge(error).reason == reason


def test_a_refused_token_is_final() -> None:
    """Whoever says so."""
    error = hikari.UnauthorizedError("url", {}, None)
    with pytest.raises(StartFailed, match="bot token"):
        judge(error)


def test_what_is_final_already_stays_so() -> None:
    """It has its sentence."""
    with pytest.raises(StartFailed, match="Enough"):
        judge(StartFailed("Enough."))
