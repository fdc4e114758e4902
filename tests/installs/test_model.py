"""Tests of an install on its way."""

from datetime import UTC, datetime

from clipsaver.installs.model import InstallIntent


def test_an_intents_secret_is_not_shown() -> None:
    """Whoever has it could finish the install."""
    intent = InstallIntent(state="s3cret", user_id=1, guild_id=2, expires_at=datetime(2026, 1, 31, tzinfo=UTC))
    assert "s3cret" not in repr(intent)
